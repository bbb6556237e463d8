/** ms: the shortest time over which a rate is measured. */
const WINDOW = 900;

/** The weight of a new measurement. */
const WEIGHT = 0.5;

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
