import type { Clock } from '../../time/clock.js';
import type { Track } from '../tracks/track.js';

/** The longest wait for a key frame, ms. Groups of pictures of live streams are shorter. */
const KEY_FRAME_TIMEOUT = 10_000;

/**
 * Resolves when a video track with a sender has received a key frame; at once if there is none, and at the latest after
 * {@link KEY_FRAME_TIMEOUT}.
 */
export function nextKeyFrame(tracks: Iterable<Track>, clock: Clock): Promise<void> {
  const video = [...tracks].filter(({ mediaType, input }) => mediaType === 'video' && input !== undefined);
  if (video.length === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      for (const track of video) track.onKey = undefined;
      resolve();
    };
    const timer = clock.after(KEY_FRAME_TIMEOUT, done, false);
    for (const track of video) track.onKey = done;
  });
}

/**
 * Drops queued frames of video from the newest key frame on, without acknowledging them: the sender sends them to the
 * next node, which begins at that key frame. If the key frame is written already, nothing is dropped, and the next node
 * repeats what follows it.
 */
export function cutAtKeyFrame(track: Track): void {
  const key = track.ids.newestKey;
  const first = track.headSeq;
  if (track.mediaType !== 'video' || track.input?.acksGroups !== true) return;
  if (key === undefined || first === undefined || first > key) return;
  for (const frame of track.removeUnless(({ seq }) => seq < key)) track.memory.release(frame);
}
