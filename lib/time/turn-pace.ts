/**
 * Number of reads a second up to which the period is shorter than it has to be. They cost about 1 % of a core
 * (docs/performance.md, What was kept, and why).
 */
const CHEAP_READS = 175;

/**
 * The longest period, as a share of the upper bound, while turns leave most of the time to other work: `few` up to so
 * many sockets, and `many` from so many on. The last part of the period saves little, unless there are many.
 */
const CALM_SHARE = { few: 7 / 8, fewSockets: 400, many: 15 / 16, manySockets: 800 } as const;

/** With more sockets, the period is the longest at once: when all of them come together, the load is seen too late. */
const MANY_SOCKETS = 1000;

/** The share of the time that turns take above which the period is the longest, and below which it no longer is. */
const BUSY = 0.35;
const NO_LONGER_BUSY = 0.25;

/** A period that differs by less than this share from the wanted one stays as it is. */
const TOLERANCE = 0.06;

/** ms for which a shorter period has to be possible before it is used. A longer one is used at once. */
const SHORTER_AFTER = 5_000;

/** The number of phases in a period. Upstreams are spread over them, so that they do not all need a turn at once. */
export const PHASES = 8;

/** The least number of wake-ups in a period. */
const LEAST_WAKE_UPS = 2;

/** With more sockets than this in one turn of the event loop, other work would wait for too long. */
const SOCKETS_AT_ONCE = 200;

/** ms between the turns of an upstream; a fixed period has two equal bounds. */
export interface PeriodBounds {
  /** At least 8. */
  readonly shortest: number;
  readonly longest: number;
}

/**
 * Decides the period of turns. Frames are delayed by half of it in the mean, and each turn has a fixed cost. So the
 * period is short while there are few sockets to read. With more of them it grows, up to seven eighths of the upper
 * bound, and to fifteen sixteenths with many. It is longer than that only with very many, or while turns take much of
 * the time.
 *
 * It also decides how many phases share a turn of the event loop. A process that wakes up finds its code and data no
 * longer in the CPU's cache, which costs more than reading a few sockets.
 */
export class TurnPace {
  /** ms; between the bounds. */
  period: number;
  /** Turns of the event loop in a period: 2, 4 or 8. */
  wakeUps = PHASES;
  private isBusy = false;
  /** Monotonic ms since which a shorter period has been possible. */
  private shorterSince: number | undefined;

  constructor(private readonly bounds: PeriodBounds) {
    this.period = bounds.shortest;
  }

  /**
   * Sets the period. Call it from time to time, and when the number of sockets has changed.
   *
   * @param sockets the number of sockets that are read in turns
   * @param load the share of the time that turns take, 0 to 1
   * @param now monotonic ms
   * @returns whether the period has changed
   */
  adapt(sockets: number, load: number, now: number): boolean {
    this.adaptWakeUps(sockets);
    const wanted = this.wanted(sockets, load);
    const { period } = this;
    if (wanted > period * (1 + TOLERANCE)) return this.set(wanted);
    if (wanted >= period * (1 - TOLERANCE)) {
      this.shorterSince = undefined;
      return false;
    }
    this.shorterSince ??= now;
    return now - this.shorterSince >= SHORTER_AFTER && this.set(wanted);
  }

  private adaptWakeUps(sockets: number): void {
    while (this.wakeUps < PHASES && sockets > this.wakeUps * SOCKETS_AT_ONCE) this.wakeUps *= 2;
    // Not at the same number at which they were doubled.
    const few = ((1 - TOLERANCE) * SOCKETS_AT_ONCE) / 2;
    while (this.wakeUps > LEAST_WAKE_UPS && sockets <= this.wakeUps * few) this.wakeUps /= 2;
  }

  private wanted(sockets: number, load: number): number {
    const { shortest, longest } = this.bounds;
    this.isBusy = load > (this.isBusy ? NO_LONGER_BUSY : BUSY);
    if (this.isBusy || sockets > MANY_SOCKETS) return longest;
    return Math.max(shortest, Math.min(longest * calmShare(sockets), (sockets * 1000) / CHEAP_READS));
  }

  private set(period: number): true {
    this.period = period;
    this.shorterSince = undefined;
    return true;
  }
}

function calmShare(sockets: number): number {
  const { few, fewSockets, many, manySockets } = CALM_SHARE;
  const part = (sockets - fewSockets) / (manySockets - fewSockets);
  return few + (many - few) * Math.min(1, Math.max(0, part));
}
