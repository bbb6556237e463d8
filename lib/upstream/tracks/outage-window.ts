import type { Frame } from '../../media/frame.js';
import { dropUntil, laterKey } from './late-frames.js';
import type { Track, TrackStream } from './track.js';

/** Audio that arrived up to this much later than a picture, ms, can have been sent together with it. */
const TOGETHER = 1_000;

/**
 * Leaves out what is too old to be sent after an outage (`kmp_rtmp_out_max_lag`): the stream continues with the first
 * key frame that arrived at `since` or later, or with the last key frame if there is none, and with the audio from its
 * time on. Without a queued key frame, video continues with the next one that arrives. Nothing is left out if no frame
 * is older than `since`.
 *
 * @param since monotonic ms
 */
export function leaveOutOld({ tracks: { video, audio } }: TrackStream, since: number): void {
  const isOld = (track: Track | undefined): boolean =>
    track !== undefined && track.length > 0 && track.headArrival < since;
  if (!isOld(video) && !isOld(audio)) return;
  const start = video === undefined ? undefined : laterKey(video, since);
  if (video !== undefined && video.length > 0) dropUntil(video, start, 'outage');
  if (audio === undefined) return;
  const isBefore = (frame: Frame): boolean =>
    start === undefined
      ? frame.arrivedAt < since
      : // Timestamps may have jumped back since then.
        frame.ms < start.ms && frame.arrivedAt <= start.arrivedAt + TOGETHER;
  let keep = false;
  audio.discardAll(
    audio.removeUnless((frame) => (keep ||= !isBefore(frame))),
    'outage',
  );
}
