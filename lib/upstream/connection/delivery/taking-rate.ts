/** ms: the shortest time over which a rate is measured. */
const WINDOW = 900;

/** The weight of a new measurement. */
const WEIGHT = 0.5;

/** The factor by which a rate grows that may be too low. */
const GROWTH = 2;

/** The rate at which a server takes bytes while there are some for it to take. */
export class TakingRate {
  private rate: number | undefined;
  private from: { readonly position: number; readonly at: number } | undefined;

  /** Bytes a second; undefined: not known. */
  get perSecond(): number | undefined {
    return this.rate;
  }

  /** The server has reached `position`, at monotonic ms `now`, and there are more bytes for it. */
  reached(position: number, now: number): void {
    const { from } = this;
    if (from === undefined) {
      this.from = { position, at: now };
      return;
    }
    const ms = now - from.at;
    if (ms < WINDOW) return;
    const rate = (Math.max(0, position - from.position) / ms) * 1000;
    this.rate = this.rate === undefined ? rate : this.rate + WEIGHT * (rate - this.rate);
    this.from = { position, at: now };
  }

  /**
   * The server may have taken all that the rate allowed, so the rate may be too low. It grows once in each window. It
   * does not grow without a limit, because the server may also have taken nothing.
   */
  raise(position: number, now: number): void {
    const { from } = this;
    if (from !== undefined && now - from.at < WINDOW) return;
    if (from !== undefined && this.rate !== undefined) this.rate *= GROWTH;
    this.from = { position, at: now };
  }

  /** There was nothing for the server to take for a while: that time does not count. */
  pause(): void {
    this.from = undefined;
  }

  /** The rate is not known any more. */
  reset(): void {
    this.rate = undefined;
    this.from = undefined;
  }
}
