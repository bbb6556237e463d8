import type { Clock } from './clock.js';

/** ms of the event loop that the jobs of one turn may use, while turns are short. */
const BUDGET = 8;

/**
 * The share of a long turn that jobs may use. At the start of 600 upstreams at once, a turn reads hundreds of MB, and
 * takes a second. With 8 ms of it for the answers of servers, no upstream would ever publish what all of them read.
 */
const SHARE = 1 / 3;

/**
 * Shares out work that peers can cause in bursts: answers of servers, senders that leave together, large pages. The
 * jobs of a turn of the event loop get a few ms, or a third of a long turn. The others wait for the next turns, and
 * media is processed in between. Without a burst, a job runs at once.
 */
export class TurnShare {
  private waiting: (() => void)[] = [];
  /** ms that jobs have used since the last turn. */
  private used = 0;
  private hasNextTurn = false;
  /** Monotonic ms since which the next turn has been awaited. */
  private awaitedSince = 0;

  /**
   * @param clock measures the jobs
   * @param budget ms for the jobs of one short turn; at least one job runs
   */
  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly budget = BUDGET,
  ) {}

  /** Runs `job`: at once, if no other job waits and the budget of this turn is not used up. Else after the others. */
  run(job: () => void): void {
    if (this.waiting.length > 0 || this.used >= this.budget) this.later(job);
    else this.measured(job);
  }

  /** Runs `job` in the next turn at the earliest, after the jobs that wait already. */
  later(job: () => void): void {
    this.waiting.push(job);
    this.awaitTurn();
  }

  /**
   * Calls `each` for all `items`, so many in one job. The first ones are handled at once, if there is time.
   *
   * @returns resolves after the last one; rejects with what `each` throws
   */
  async inParts<T>(items: Iterable<T>, size: number, each: (item: T) => void): Promise<void> {
    const rest = items[Symbol.iterator]();
    let next = rest.next();
    while (next.done !== true) {
      await this.part(() => {
        for (let i = 0; i < size && next.done !== true; i++) {
          each(next.value);
          next = rest.next();
        }
      });
    }
  }

  private part(job: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.run(() => {
        try {
          job();
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  private measured(job: () => void): void {
    const from = this.clock.now();
    try {
      job();
    } finally {
      this.used += this.clock.now() - from;
      this.awaitTurn();
    }
  }

  private awaitTurn(): void {
    if (this.hasNextTurn) return;
    this.hasNextTurn = true;
    this.awaitedSince = this.clock.now();
    setImmediate(() => this.turn());
  }

  /** Jobs that are added meanwhile belong to the next turn, so each peer has one job in a turn. */
  private turn(): void {
    this.hasNextTurn = false;
    this.used = 0;
    const { waiting } = this;
    this.waiting = [];
    const budget = Math.max(this.budget, (this.clock.now() - this.awaitedSince) * SHARE);
    let done = 0;
    try {
      while (done < waiting.length && this.used < budget) {
        const job = waiting[done++];
        if (job !== undefined) this.measured(job);
      }
    } finally {
      this.waiting = [...waiting.slice(done), ...this.waiting];
      if (this.waiting.length > 0) this.awaitTurn();
    }
  }
}

/** One for each clock: all work of a process has the same turns. */
const shares = new WeakMap<Pick<Clock, 'now'>, TurnShare>();

/** The turns that all work with this clock shares. */
export function turnShareOf(clock: Pick<Clock, 'now'>): TurnShare {
  const share = shares.get(clock) ?? new TurnShare(clock);
  shares.set(clock, share);
  return share;
}
