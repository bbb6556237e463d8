/** A pending call of {@link Clock.after}. */
export interface Timer {
  /** Cancels the call. Has no effect once the call was made. */
  cancel(): void;
}

/**
 * The source of time. All code that waits, or looks at the time, takes a clock, so that specs can set the time
 * (`spec/support/fake-clock.ts`) and do not sleep. Lint forbids `performance.now`, `Date.now` and timers elsewhere in lib.
 */
export interface Clock {
  /** Monotonic time in ms, with fractions. Its zero is arbitrary. Never goes back. */
  now(): number;
  /** Wall-clock time in ms since 1970. May jump; only for the `created` latency, dates and logs. */
  wall(): number;
  /**
   * Calls `fn` once, in `ms` (0 or more; fractions are rounded up, and values above 2^31 - 1 are lowered to that).
   * The timer keeps the process alive unless `keepAlive` is false.
   */
  after(ms: number, fn: () => void, keepAlive?: boolean): Timer;
}

/** ms, about 24 days: Node calls at once what is further off. */
const FURTHEST = 2 ** 31 - 1;

class SystemTimer implements Timer {
  constructor(private readonly handle: NodeJS.Timeout) {}
  cancel(): void {
    clearTimeout(this.handle);
  }
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fn, keepAlive = true) {
    const handle = setTimeout(fn, Math.min(Math.max(0, Math.ceil(ms)), FURTHEST));
    if (!keepAlive) handle.unref();
    return new SystemTimer(handle);
  },
};
