/** The longest wait between two attempts, ms. */
const MAX_DELAY = 30_000;

/** A connection that has held this long, ms, starts over with the shortest wait. */
export const STABLE_AFTER = 60_000;

/** The shortest wait, ms: `kmp_rtmp_out_reconnect_interval 0` must not keep the processor busy. */
const MIN_DELAY = 50;

/** Waits between attempts to connect: doubling from `interval` to 30 s, each up to a quarter shorter by chance. */
export class Backoff {
  /** Attempts since the last stable connection. */
  attempts = 0;

  /**
   * @param interval ms, the first wait
   * @param limit attempts in a row; Infinity: no limit
   */
  constructor(
    private readonly interval: number,
    private readonly limit: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** ms to wait before the next attempt, or undefined if there have been enough. */
  next(): number | undefined {
    if (this.attempts >= this.limit) return undefined;
    const first = Math.max(MIN_DELAY, this.interval);
    const delay = Math.min(MAX_DELAY, first * 2 ** Math.min(this.attempts, 20));
    this.attempts++;
    return delay * (1 - this.random() / 4);
  }

  reset(): void {
    this.attempts = 0;
  }
}
