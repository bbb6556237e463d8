import type { Clock } from '../../../time/clock.js';

/** The attempts of a session, over all its destinations, for the record of ended upstreams. */
export class AttemptRecord {
  /** How many attempts were made in this series: up to the first success, or from the one that broke on. */
  tries = 0;
  /** ms since 1970 of the first failure since the last success; undefined: there was none. */
  failingSince: number | undefined;
  /** Monotonic ms of the last success, if nothing has failed since then. */
  private publishedSince: number | undefined;
  private longest = 0;

  constructor(private readonly clock: Clock) {}

  /** ms of the longest time in which it was published without a break. */
  get longestPublication(): number {
    const { publishedSince, longest } = this;
    return publishedSince === undefined ? longest : Math.max(longest, this.clock.now() - publishedSince);
  }

  begun(): void {
    this.tries++;
  }

  published(): void {
    this.failingSince = undefined;
    this.publishedSince ??= this.clock.now();
  }

  failed(): void {
    this.longest = this.longestPublication;
    // The attempts before the success do not count any more, but the connection that has broken does.
    if (this.publishedSince !== undefined) this.tries = 1;
    this.failingSince ??= this.clock.wall();
    this.publishedSince = undefined;
  }
}
