import type { ReportEvent } from './report/upstream-event.js';
import type { UpstreamStream } from './tracks/stream.js';
import type { TrackInput } from './tracks/track-input.js';
import type { Track } from './tracks/track.js';

/** ms without a frame from a sender that is connected, after which its input counts as stalled. */
const STALLED_AFTER = 10_000;

/** The message of the close reason `input_timeout`. */
export const INPUT_FROZEN = 'the sender was connected but sent nothing for kmp_rtmp_in_read_timeout';

/**
 * ms for which the track that has waited longest has received no frame, although its sender is connected; undefined: no
 * input is stalled.
 *
 * @param now monotonic ms
 */
export function inputStalledFor(streams: Iterable<UpstreamStream>, now: number): number | undefined {
  let longest = 0;
  for (const stream of streams) {
    for (const track of stream.allTracks()) {
      if (track.input === undefined) continue;
      longest = Math.max(longest, now - (track.receivedAt ?? stream.createdAt));
    }
  }
  return longest >= STALLED_AFTER ? longest : undefined;
}

/** A track whose sender is connected but sends no frames. */
interface Stall {
  readonly input: TrackInput;
  /** Monotonic ms of its last frame. */
  readonly since: number;
}

/**
 * Reports `input_lost` when a track of a published stream has received no frame for ten seconds although its sender is
 * connected, and `input_back` when that sender sends again. Gaps that `kmp_rtmp_out_linger` or a slate fills are
 * reported by `AbsentInputs`.
 */
export class StalledInputs {
  private readonly stalls = new Map<Track, Stall>();

  constructor(private readonly report: ReportEvent) {}

  /** Call it about once a second. @param now monotonic ms */
  check(streams: Iterable<UpstreamStream>, now: number): void {
    if (this.stalls.size > 0) for (const [track, stall] of this.stalls) this.checkStall(track, stall);
    for (const stream of streams) {
      if (!stream.live) continue;
      const { video, audio } = stream.tracks;
      if (video !== undefined) this.checkTrack(video, stream, now);
      if (audio !== undefined) this.checkTrack(audio, stream, now);
    }
  }

  private checkTrack(track: Track, { createdAt }: UpstreamStream, now: number): void {
    const { input, receivedAt: since = createdAt } = track;
    if (input === undefined || track.gap !== undefined || now - since < STALLED_AFTER) return;
    if (!this.stalls.has(track)) this.begin(track, { input, since });
  }

  private begin(track: Track, stall: Stall): void {
    this.stalls.set(track, stall);
    if (track.isReportedLost) return;
    track.isReportedLost = true;
    const message = `no ${track.mediaType} arrives: the sender is connected and sends no media`;
    const { name } = track.stream;
    this.report({ type: 'input_lost', reason: 'input_stalled', message, stream: name, track: track.mediaType });
  }

  private checkStall(track: Track, { input, since }: Stall): void {
    const { receivedAt = since, mediaType } = track;
    const left = track.isGone || track.input !== input;
    // A gap that is filled, or waits for another sender, is reported by AbsentInputs.
    const isGap = track.gap !== undefined;
    if (!left && !isGap && receivedAt <= since) return;
    this.stalls.delete(track);
    if (isGap) return;
    const wasReported = track.isReportedLost;
    track.isReportedLost = false;
    if (left || !wasReported) return;
    const away = Math.round(receivedAt - since);
    const message = `${mediaType} arrives again after ${away} ms`;
    const about = { stream: track.stream.name, track: mediaType, away_ms: away };
    this.report({ type: 'input_back', reason: 'input_stalled', message, ...about });
  }
}
