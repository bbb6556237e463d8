/** ms; lags older than one to two windows are forgotten. */
const WINDOW = 5000;

/** A lag that changes by more than this between two reads, ms, is a jump of the timestamps or a stall, not a flush. */
const JUMP = 2000;

/** Extremes of one window. */
interface Extremes {
  max: number;
  min: number;
  /** The longest time between two reads that brought something. */
  gap: number;
}

/**
 * How far the frames of one track arrive behind their timestamps. The lag of a frame is the time of its arrival minus
 * its dts. Its absolute value has no meaning, because the two clocks are not related, but its range has. A track that
 * is sent live has a narrow range. A sender that flushes once a second has a range of a second: the first frame of a
 * flush has waited that long, and the last one not at all (docs/protocol/servers.md, KMP sender).
 */
export class ArrivalLag {
  private present = nothing();
  private previous = nothing();
  private windowEnd = -Infinity;
  private last = NaN;
  private lastAt = NaN;

  /**
   * Frames arrived with one read.
   *
   * @param now monotonic ms
   * @param firstMs dts of the first frame, ms
   * @param lastMs dts of the last frame, ms
   */
  record(now: number, firstMs: number, lastMs: number): void {
    const lag = now - firstMs;
    if (Math.abs(lag - this.last) > JUMP) {
      this.present = nothing();
      this.previous = nothing();
    } else if (now >= this.windowEnd) {
      this.previous = now < this.windowEnd + WINDOW ? this.present : nothing();
      this.present = nothing();
      this.windowEnd = now + WINDOW;
    }
    const { present } = this;
    if (now - this.lastAt > present.gap) present.gap = now - this.lastAt;
    this.last = now - lastMs;
    this.lastAt = now;
    present.max = Math.max(present.max, lag);
    present.min = Math.min(present.min, this.last);
  }

  /** ms since frames arrived last; -Infinity if none has. */
  silentFor(now: number): number {
    return Number.isNaN(this.lastAt) ? -Infinity : now - this.lastAt;
  }

  /**
   * The dts of a frame that would arrive at monotonic ms `now`, if frames had gone on at their pace; -Infinity if none
   * has arrived.
   */
  expectedMs(now: number): number {
    return Number.isNaN(this.last) ? -Infinity : now - this.last;
  }

  /**
   * True if the frames look flushed: their lags range over more than `least` and at most `most` ms, and the last of
   * them arrived within two such ranges.
   */
  isWide(now: number, least: number, most: number): boolean {
    const range = this.max - Math.min(this.present.min, this.previous.min);
    return range > least && range <= most && now - this.lastAt <= 2 * range;
  }

  /** True if nothing arrived for more than `ms` between two reads: the track has been flushed more than once. */
  hasPauses(ms: number): boolean {
    return Math.max(this.present.gap, this.previous.gap) > ms;
  }

  /** The most that a frame arrived behind its timestamp, ms. */
  get max(): number {
    return Math.max(this.present.max, this.previous.max);
  }
}

function nothing(): Extremes {
  return { max: -Infinity, min: Infinity, gap: 0 };
}
