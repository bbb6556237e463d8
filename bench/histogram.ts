/** The usual three figures of a histogram, in ms; 0 when nothing was counted. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const PER_MS = 10;

/** Counts times in buckets of 0.1 ms, so that 10 minutes of frames take no more memory than ten seconds. */
export class Histogram {
  private counts: Uint32Array;
  private total = 0;
  private max = 0;

  /** @param limitMs times beyond it share the last bucket; `max` stays exact. */
  constructor(limitMs = 20_000) {
    this.counts = new Uint32Array(limitMs * PER_MS + 1);
  }

  add(ms: number): void {
    const bucket = Math.max(0, Math.floor(ms * PER_MS));
    const last = this.counts.length - 1;
    const index = bucket > last ? last : bucket;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.total += 1;
    if (ms > this.max) this.max = ms;
  }

  clear(): void {
    this.counts.fill(0);
    this.total = 0;
    this.max = 0;
  }

  quantiles(): Quantiles {
    return { p50: this.at(0.5), p99: this.at(0.99), max: this.max };
  }

  /** The lower edge of the bucket in which the given share of all times is reached. */
  private at(share: number): number {
    if (this.total === 0) return 0;
    const rank = Math.floor(this.total * share);
    let seen = 0;
    for (let i = 0; i < this.counts.length; i++) {
      seen += this.counts[i] ?? 0;
      if (seen > rank) return i / PER_MS;
    }
    return this.max;
  }
}
