/** A limit for what a peer may cause: `burst` tokens at once, and `perSecond` more in each second, up to `burst`. */
export class TokenBucket {
  private left: number;
  private at: number;

  /** @param now monotonic ms */
  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly now: () => number,
  ) {
    this.left = burst;
    this.at = now();
  }

  /** Takes `count` tokens. Returns false, and takes none, if there are fewer. */
  take(count = 1): boolean {
    const now = this.now();
    this.left = Math.max(this.left, Math.min(this.burst, this.left + ((now - this.at) * this.perSecond) / 1000));
    this.at = now;
    if (this.left < count) return false;
    this.left -= count;
    return true;
  }

  /** Adds `count` tokens once, beyond `burst` if necessary. */
  add(count: number): void {
    this.left += count;
  }
}
