import { Backoff } from '../time/backoff.js';
import type { Clock } from '../time/clock.js';

/** ms between attempts: the first wait and the longest. */
const FIRST = 200;
const LONGEST = 5000;
/** ms after which a connection counts as successful even if nothing was acknowledged on it. */
const STABLE_AFTER = 5000;

/** Decides when a KMP sender reconnects, and when it gives up. */
export class RetryPolicy {
  private readonly backoff = new Backoff({ first: FIRST, longest: LONGEST });
  private lostAt: number | undefined;
  private connectedAt: number | undefined;
  /** True once a connection was made or lost, so that another attempt is a retry. */
  tried = false;

  /** @param retryFor ms without success after which {@link next} gives up */
  constructor(
    private readonly clock: Clock,
    private readonly retryFor: number,
  ) {}

  /** The connection is made; whether it is of use is not known yet. */
  connected(): void {
    this.connectedAt = this.clock.now();
    this.tried = true;
  }

  /** The connection is of use: the server has acknowledged frames. */
  succeeded(): void {
    this.lostAt = undefined;
    this.backoff.reset();
  }

  /** The connection was lost or could not be made: ms to wait before the next attempt; undefined to give up. */
  next(): number | undefined {
    const now = this.clock.now();
    if (this.connectedAt !== undefined && now - this.connectedAt >= STABLE_AFTER) this.succeeded();
    this.connectedAt = undefined;
    this.tried = true;
    this.lostAt ??= now;
    if (now - this.lostAt >= this.retryFor) return undefined;
    return this.backoff.next();
  }
}
