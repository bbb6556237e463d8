import type { Clock } from '../time/clock.js';

/** ms between attempts: the first, doubled up to the last. */
const FIRST = 200;
const LAST = 5000;
/** ms that a connection must have lasted to count as a good one, if nothing else came of it. */
const STABLE = 5000;

/** When to reconnect, and when to give up. */
export class Backoff {
  private lostAt: number | undefined;
  private connectedAt: number | undefined;
  private attempts = 0;
  /** True once an attempt was made, or a connection came about. */
  tried = false;

  /** @param patience ms without progress after which {@link next} gives up */
  constructor(
    private readonly clock: Clock,
    private readonly patience: number,
  ) {}

  /** The connection is there; whether it is any good will be seen. */
  connected(): void {
    this.connectedAt = this.clock.now();
    this.tried = true;
  }

  /** The connection is good: something was achieved on it. */
  progress(): void {
    this.lostAt = undefined;
    this.attempts = 0;
  }

  /** The connection is lost, or did not come about: ms to wait before the next attempt, undefined to give up. */
  next(): number | undefined {
    const now = this.clock.now();
    if (this.connectedAt !== undefined && now - this.connectedAt >= STABLE) this.progress();
    this.connectedAt = undefined;
    this.tried = true;
    this.lostAt ??= now;
    if (now - this.lostAt >= this.patience) return undefined;
    return Math.min(FIRST * 2 ** this.attempts++, LAST);
  }
}
