import type { Clock } from '../../time/clock.js';

/** Share of the limit that the process may use (RSS) before new upstreams are refused. */
const ADMISSION_SHARE = 0.9;
/**
 * Share of the limit that all ledgers together may use. The rest is for Node and for memory that is free, but not given
 * back yet: the process uses up to 1.5 times what the ledgers count (docs/performance.md, Memory).
 */
const LEDGER_SHARE = 0.6;
/** ms for which a measurement of the process is used. */
const MEASURE_INTERVAL = 250;

/**
 * The memory of all upstreams of a process, and its limit (`kmp_rtmp_mem_limit`). Without it, a thousand upstreams that
 * each keep their own limit could use more than the machine has, and the kernel would end all of them.
 */
export class ProcessMemory {
  private charged = 0;
  private measuredAt = -Infinity;
  private rss = 0;
  private exceeding = false;
  private readonly ledgerLimit: number;
  /** Called when all ledgers together use too much, after the present work is done. */
  onExceeded: (message: string) => void = () => {};

  /**
   * @param limit bytes; Infinity: none
   * @param measure bytes that the process uses
   */
  constructor(
    private readonly limit: number,
    private readonly clock: Clock,
    private readonly measure: () => number = () => process.memoryUsage.rss(),
  ) {
    this.ledgerLimit = limit * LEDGER_SHARE;
  }

  /** Bytes that all ledgers have charged. */
  get used(): number {
    return this.charged;
  }

  /** Why no new upstream may begin; undefined if one may. */
  get refusal(): string | undefined {
    if (this.limit === Infinity) return undefined;
    const now = this.clock.now();
    if (now - this.measuredAt >= MEASURE_INTERVAL) {
      this.measuredAt = now;
      this.rss = this.measure();
    }
    const { rss, limit } = this;
    if (rss <= limit * ADMISSION_SHARE) return undefined;
    return `the process uses ${rss} of ${limit} bytes (kmp_rtmp_mem_limit); more senders need more memory, or another machine`;
  }

  charge(bytes: number): void {
    this.charged += bytes;
    if (this.charged > this.ledgerLimit && !this.exceeding) this.exceed();
  }

  release(bytes: number): void {
    this.charged -= bytes;
  }

  private exceed(): void {
    this.exceeding = true;
    // Deferred, because the code that charges is in the middle of something.
    setImmediate(() => {
      this.exceeding = false;
      if (this.charged <= this.ledgerLimit) return;
      this.onExceeded(
        `all upstreams together use ${this.charged} bytes, which is too much for a process that may use ${this.limit} (kmp_rtmp_mem_limit), and this one uses most`,
      );
    });
  }
}
