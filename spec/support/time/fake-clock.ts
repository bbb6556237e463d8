import type { Clock, Timer } from '../../../lib/time/clock.js';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
  cancelled: boolean;
}

/**
 * A clock that the spec sets. Timers fire in the order of their time; of the same time, in the order they were made.
 */
export class FakeClock implements Clock {
  private time = 0;
  private order = 0;
  private entries: Entry[] = [];

  /** @param wallOffset wall-clock ms since 1970 at now() = 0 */
  constructor(private readonly wallOffset = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.wallOffset + this.time;
  }

  after(ms: number, fn: () => void): Timer {
    const entry: Entry = { at: this.time + Math.max(0, ms), order: this.order++, fn, cancelled: false };
    this.entries.push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
        this.entries = this.entries.filter((other) => other !== entry);
      },
    };
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.entries.length;
  }

  /** ms until the next timer, or Infinity. */
  get untilNext(): number {
    return this.entries.reduce((least, entry) => Math.min(least, entry.at), Infinity) - this.time;
  }

  /** Moves time on by `ms`, and fires the timers that become due on the way. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      let next: Entry | undefined;
      for (const entry of this.entries) {
        if (entry.at > end) continue;
        if (next === undefined || entry.at < next.at || (entry.at === next.at && entry.order < next.order))
          next = entry;
      }
      if (next === undefined) break;
      const due = next;
      this.entries = this.entries.filter((entry) => entry !== due);
      this.time = Math.max(this.time, due.at);
      if (!due.cancelled) due.fn();
    }
    this.time = end;
  }

  /** Moves time on by `ms` while the process is busy: timers that become due fire with the next {@link advance}. */
  jump(ms: number): void {
    this.time += ms;
  }
}

/** A clock that counts the timers that have fired. */
export class CountingClock extends FakeClock {
  fired = 0;

  override after(ms: number, fn: () => void): Timer {
    return super.after(ms, () => {
      this.fired++;
      fn();
    });
  }
}
