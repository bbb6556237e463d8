/** What a peer may make us do in a while: `burst` at once, `perSecond` of them again in each second. */
export class Budget {
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

  /** Takes `count` of it; false, and takes nothing, if there is not so much. */
  take(count = 1): boolean {
    const now = this.now();
    this.left = Math.max(this.left, Math.min(this.burst, this.left + ((now - this.at) * this.perSecond) / 1000));
    this.at = now;
    if (this.left < count) return false;
    this.left -= count;
    return true;
  }

  /** Allows `count` more, once. */
  add(count: number): void {
    this.left += count;
  }
}
