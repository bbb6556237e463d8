import type { Clock, Timer } from '../../time/clock.js';

interface Waiter {
  readonly resolve: (granted: boolean) => void;
  timer: Timer | undefined;
}

/** A move that has begun. */
export interface Move {
  /** Monotonic ms. */
  readonly beganAt: number;
}

/**
 * Decides when the next upstream of a drain may move. Two limits hold at any time: the rate, also if the key frames of
 * many upstreams arrive together, and the number of moves that are not complete. The latter begins at one, grows with
 * each move that is complete soon, and is halved by one that takes long. So a node that has just started, or is busy,
 * gets upstreams only as fast as it can take them, because each of them is off the air until it does.
 */
export class MovePace {
  private readonly waiting: Waiter[] = [];
  private open = 0;
  private limit = 1;
  private nextAt = -Infinity;
  private lastAt = -Infinity;
  private halvedAt = -Infinity;
  private timer: Timer | undefined;
  private hurried = false;

  /** @param spacing the shortest time between two moves, ms */
  constructor(
    private readonly clock: Clock,
    private readonly spacing: () => number,
  ) {}

  /** From now on, only the rate holds, and {@link turn} waits for as long as it has to. */
  hurry(): void {
    this.hurried = true;
    for (const waiter of this.waiting) waiter.timer?.cancel();
    this.grant();
  }

  /** Begins again: the first move is alone. */
  reset(): void {
    this.stop();
    this.hurried = false;
    this.open = 0;
    this.limit = 1;
    this.nextAt = this.lastAt = this.halvedAt = -Infinity;
  }

  /** Nobody gets a turn any more. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    for (const waiter of this.waiting.splice(0)) this.settle(waiter, false);
  }

  /**
   * Waits for the turn of an upstream, in the order of the calls.
   *
   * @param patience ms
   * @returns undefined: it was not its turn within that time
   */
  turn(patience: number): Promise<Move | undefined> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        resolve: (granted) => resolve(granted ? { beganAt: this.clock.now() } : undefined),
        timer: undefined,
      };
      this.waiting.push(waiter);
      this.grant();
      if (!this.waiting.includes(waiter) || this.hurried) return;
      waiter.timer = this.clock.after(patience, () => this.giveUp(waiter), false);
    });
  }

  /**
   * The upstream is on air at another node, or nobody waits for it any more.
   *
   * @param soon false: that took long
   */
  complete({ beganAt }: Move, soon: boolean): void {
    this.open = Math.max(0, this.open - 1);
    if (soon) this.limit++;
    else if (beganAt > this.halvedAt) {
      // All moves that had begun before count as one: they were slow together.
      this.halvedAt = this.lastAt;
      this.limit = Math.max(1, Math.floor(this.limit / 2));
    }
    this.grant();
  }

  private giveUp(waiter: Waiter): void {
    this.waiting.splice(this.waiting.indexOf(waiter), 1);
    this.settle(waiter, false);
  }

  private grant(): void {
    const now = this.clock.now();
    while (this.waiting.length > 0 && (this.hurried || this.open < this.limit)) {
      if (now < this.nextAt) {
        this.timer ??= this.clock.after(this.nextAt - now, () => {
          this.timer = undefined;
          this.grant();
        });
        return;
      }
      const waiter = this.waiting.shift();
      if (waiter === undefined) return;
      this.open++;
      this.lastAt = now;
      this.nextAt = now + this.spacing();
      this.settle(waiter, true);
    }
  }

  private settle(waiter: Waiter, granted: boolean): void {
    waiter.timer?.cancel();
    waiter.resolve(granted);
  }
}
