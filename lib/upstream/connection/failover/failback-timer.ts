import type { Clock, Timer } from '../../../time/clock.js';

/**
 * The longest wait between two attempts to return to the primary destination, ms; but not below the configured time.
 */
const LONGEST = 300_000;

/**
 * When the primary destination is tried again while a backup is in use (`kmp_rtmp_out_failback`). Each failed attempt
 * doubles the wait.
 */
export class FailbackTimer {
  private timer: Timer | undefined;
  private failures = 0;

  /**
   * @param interval ms; Infinity: never
   * @param onTime called once for each {@link start}
   */
  constructor(
    private readonly clock: Clock,
    private readonly interval: number,
    private readonly onTime: () => void,
  ) {}

  /** A backup is in use. */
  start(): void {
    this.stop();
    const { interval, failures } = this;
    if (interval === Infinity) return;
    const wait = Math.min(Math.max(interval, LONGEST), interval * 2 ** Math.min(failures, 20));
    this.timer = this.clock.after(wait, this.onTime, false);
  }

  /** The primary destination did not take the stream, or failed soon after it had. */
  failed(): void {
    this.failures++;
  }

  /** The primary destination was in use for long enough. */
  succeeded(): void {
    this.failures = 0;
  }

  stop(): void {
    this.timer?.cancel();
  }
}
