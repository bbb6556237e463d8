import type { Frame } from '../../media/frame.js';

/**
 * When a frame arrived, if its socket is read in intervals: some time between the read before and this one. A live sender
 * sends at the pace of its timestamps, so the time is taken from the last frame's by the difference of their dts, and kept
 * within what is possible. The process delay counts from there: what a frame waited in the kernel comes off it, and the
 * delay that a viewer sees does not grow.
 */
export class ArrivalClock {
  private lastMs = 0;
  private lastAt = NaN;
  private readAt = 0;
  private since = 0;

  /** @param last the last frame that was read when it came */
  constructor(last?: Frame) {
    if (last === undefined) return;
    this.lastMs = last.ms;
    this.lastAt = last.arrivedAt;
  }

  /** What comes now was read at `at`, and has come after `since`; monotonic ms. */
  read(at: number, since: number): void {
    this.readAt = at;
    this.since = Math.min(since, at);
  }

  /** Sets `frame.arrivedAt`, at most the time of the read. */
  estimate(frame: Frame): void {
    const at = this.readAt;
    const expected = this.lastAt + frame.ms - this.lastMs;
    // Before the first frame, and after a jump of the timestamps, the bounds decide.
    const arrived = expected <= at ? Math.max(expected, this.since) : at;
    this.lastMs = frame.ms;
    this.lastAt = arrived;
    frame.arrivedAt = Math.floor(arrived);
  }
}
