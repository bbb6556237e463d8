/** A pending call of {@link Clock.after}. */
export interface Timer {
  /** Forgets the call. Has no effect once it was made. */
  cancel(): void;
}

/**
 * Time, handed in. Everything that waits takes one of these, so that specs can turn the hands themselves
 * (`spec/support/fake-clock.ts`) and nothing has to sleep.
 */
export interface Clock {
  /** Monotonic time in ms, with fractions. Its zero is arbitrary. Never goes back. */
  now(): number;
  /** Wall-clock time in ms since 1970. May jump; used for `created` latency, dates and logs only. */
  wall(): number;
  /**
   * Calls `fn` once, `ms` from now (0 or more; fractions are rounded up, and what is above 2^31 - 1 comes down to that).
   * The timer keeps the process alive unless `ref` is false.
   */
  after(ms: number, fn: () => void, ref?: boolean): Timer;
}

/** ms, some 24 days: what is further off is taken by Node's timers for at once. */
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
  after(ms, fn, ref = true) {
    const handle = setTimeout(fn, Math.min(Math.max(0, Math.ceil(ms)), FURTHEST));
    if (!ref) handle.unref();
    return new SystemTimer(handle);
  },
};
