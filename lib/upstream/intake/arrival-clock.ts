import type { Frame } from '../../media/frame.js';

/**
 * ms after joining in which a socket is read almost as soon as bytes arrive, whatever `kmp_rtmp_in_read_interval` says.
 * A sender may begin with a burst, which does not show when its frames arrived. Tracks that begin together are ordered
 * by the arrival of their frames.
 */
export const STEADY_AFTER = 2_000;

/**
 * Estimates when a frame arrived if its socket is read in intervals. The frame came between the previous read and this
 * one. A live sender sends at the pace of its timestamps, so the estimate is the arrival of the last frame plus the
 * difference of their dts, limited to the possible range. The process delay counts from there. It thus includes the
 * time that a frame waited in the kernel, and the viewer's delay does not grow.
 */
export class ArrivalClock {
  private lastMs = 0;
  private lastAt = NaN;
  private readAt = 0;
  private since = 0;

  /** @param last the last frame that had been read when it came */
  constructor(last?: Frame) {
    if (last === undefined) return;
    this.lastMs = last.ms;
    this.lastAt = last.arrivedAt;
  }

  /** The following frames were read at `at` and arrived after `since`; monotonic ms. */
  read(at: number, since: number): void {
    this.readAt = at;
    this.since = Math.min(since, at);
  }

  /** Monotonic ms, an integer: the arrival of the next frame, at the latest the time of the read. @param ms its dts */
  estimate(ms: number): number {
    const at = this.readAt;
    const expected = this.lastAt + ms - this.lastMs;
    // Before the first frame, and after a jump of the timestamps, the bounds decide.
    const arrived = expected <= at ? Math.max(expected, this.since) : at;
    this.lastMs = ms;
    this.lastAt = arrived;
    return Math.floor(arrived);
  }
}
