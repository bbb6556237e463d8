/** A pending call of {@link Clock.after}. */
export interface Timer {
  /** Cancels the call. Has no effect once the call was made. */
  cancel(): void;
}

/**
 * The source of time. All code that waits or reads the time takes a clock, so that specs can set the time
 * (`spec/support/time/fake-clock.ts`) and do not sleep. Lint forbids `performance.now`, `Date.now` and timers elsewhere
 * in lib.
 */
export interface Clock {
  /** Monotonic time in ms, with fractions. Its zero is arbitrary. It never goes backwards. */
  now(): number;
  /** Wall-clock time in ms since 1970. It may jump. Use it only for the `created` latency, dates, logs and expiry. */
  wall(): number;
  /**
   * Calls `fn` once, in `ms` (0 or more, up to 2^53; fractions are rounded up).
   * The timer keeps the process alive unless `keepAlive` is false.
   */
  after(ms: number, fn: () => void, keepAlive?: boolean): Timer;
}

/** The longest time of a Node timer, ms: nearly 25 days. A timer with a longer time would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** `ms`, limited to what a timer of Node can wait. For timeouts of sockets, which do not go through a {@link Clock}. */
export function timerMs(ms: number): number {
  return Math.min(ms, MAX_TIMER_MS);
}

/** A timer that waits in several steps if its time is longer than a timer of Node can wait. */
class SystemTimer implements Timer {
  private handle: NodeJS.Timeout;

  constructor(
    private left: number,
    private readonly fn: () => void,
    private readonly keepAlive: boolean,
  ) {
    this.handle = this.arm();
  }

  cancel(): void {
    clearTimeout(this.handle);
  }

  private arm(): NodeJS.Timeout {
    const step = timerMs(this.left);
    this.left -= step;
    const handle = setTimeout(this.left === 0 ? this.fn : () => (this.handle = this.arm()), step);
    if (!this.keepAlive) handle.unref();
    return handle;
  }
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fn, keepAlive = true) {
    return new SystemTimer(Math.max(0, Math.ceil(ms)), fn, keepAlive);
  },
};
