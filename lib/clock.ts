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
   * Calls `fn` once, `ms` from now (0 or more; fractions are rounded up by Node's timers).
   * The timer keeps the process alive unless `ref` is false.
   */
  after(ms: number, fn: () => void, ref?: boolean): Timer;
}

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
    const handle = setTimeout(fn, Math.max(0, Math.ceil(ms)));
    if (!ref) handle.unref();
    return new SystemTimer(handle);
  },
};

/** Calls that are made together. */
interface Group {
  readonly calls: Set<() => void>;
  readonly timer: Timer;
}

/**
 * A clock whose timers go off together, on a grid of `grain` ms that begins at `phase`, never early: hundreds of things that
 * wait cost one timer and one turn of the event loop, not hundreds. `now` stays exact.
 */
export function grouped(clock: Clock, grain: number, phase = 0): Clock {
  const groups = new Map<number, Group>();
  const open = (at: number, ms: number, ref: boolean | undefined): Group => {
    const calls = new Set<() => void>();
    const go = (): void => {
      groups.delete(at);
      for (const call of calls) call();
    };
    const group = { calls, timer: clock.after(ms, go, ref) };
    groups.set(at, group);
    return group;
  };
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after(ms, fn, ref) {
      const now = clock.now();
      const at = Math.ceil((now + ms - phase) / grain) * grain + phase;
      const group = groups.get(at) ?? open(at, at - now, ref);
      // A function of its own, so that the same one can wait twice.
      const call = (): void => fn();
      group.calls.add(call);
      return {
        cancel: () => {
          // With nobody left, it would only keep the process alive.
          if (!group.calls.delete(call) || group.calls.size > 0 || groups.get(at) !== group) return;
          groups.delete(at);
          group.timer.cancel();
        },
      };
    },
  };
}

/** ms between the points of the grid that media waits by: what is due is written eight times a second. */
const MEDIA_GRAIN = 125;

/** Grids beside each other, so that not all of a process wakes up at once. */
const mediaClocks = [0, 1, 2, 3, 4].map((i) => grouped(systemClock, MEDIA_GRAIN, (MEDIA_GRAIN / 5) * i));
let turn = 0;

/**
 * A clock for what waits by `kmp_rtmp_out_min_process_delay` (docs/performance.md): grouped if it is the machine's, as it is if
 * handed in. Whoever asks next gets the next grid.
 */
export function mediaClockOf(clock: Clock): Clock {
  turn = (turn + 1) % mediaClocks.length;
  return clock === systemClock ? (mediaClocks[turn] ?? clock) : clock;
}
