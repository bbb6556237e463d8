/** How long a {@link Backoff} waits. */
export interface BackoffOptions {
  /** The first wait, ms. */
  readonly first: number;
  /** The longest wait, ms. */
  readonly longest: number;
  /** The number of attempts in a row after which no further attempt is made. Default Infinity. */
  readonly limit?: number;
  /**
   * The share of each wait, 0 to 1, by which chance may shorten it, so that many senders do not retry at the same time.
   * Default 0.
   */
  readonly jitter?: number;
  /** Returns random numbers from 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** Waits between attempts: each is twice as long as the one before, up to the longest. */
export class Backoff {
  /** Attempts since the last {@link reset}. */
  attempts = 0;

  constructor(private readonly options: BackoffOptions) {}

  /** ms to wait before the next attempt; undefined if the limit is reached. */
  next(): number | undefined {
    const { first, longest, limit = Infinity, jitter = 0, random = Math.random } = this.options;
    if (this.attempts >= limit) return undefined;
    // After 20 attempts, every wait is the longest. The limit keeps the power from overflowing.
    const wait = Math.min(longest, first * 2 ** Math.min(this.attempts, 20));
    this.attempts++;
    return wait * (1 - random() * jitter);
  }

  /** An attempt was successful, so the next wait is the first one again. */
  reset(): void {
    this.attempts = 0;
  }
}
