import type { Clock } from './clock.js';

/** ms over which the load is measured. */
const WINDOW = 1_000;

/** The weight of the newest window in the load. The others fade: after four windows, a quarter of them is left. */
const NEWEST = 0.3;

/** What turns cost: all schedulers of a process share it. */
export class TurnLoad {
  /** The number of sockets that are read in turns. */
  sockets = 0;
  /** The share of the time that turns take, 0 to 1, over some seconds. */
  share = 0;
  private since: number;
  private busy = 0;

  constructor(clock: Pick<Clock, 'now'>) {
    this.since = clock.now();
  }

  /** A turn took `ms` and ended at `now`. */
  add(ms: number, now: number): void {
    this.busy += ms;
    const elapsed = now - this.since;
    if (elapsed < WINDOW) return;
    // Windows without any turn are part of a long one.
    const kept = (1 - NEWEST) ** (elapsed / WINDOW);
    this.share = kept * this.share + (1 - kept) * Math.min(1, this.busy / elapsed);
    this.since = now;
    this.busy = 0;
  }
}
