import { blockPool } from '../../media/block.js';
import type { Clock } from '../../time/clock.js';

/** Share of the limit that the process may use (RSS) before new upstreams are refused. */
const ADMISSION_SHARE = 0.9;
/**
 * Share of the limit that all ledgers together may use. The rest is for Node and for memory that is free, but not given
 * back yet: the process uses up to 1.5 times what the ledgers count (docs/performance.md, Memory).
 */
const LEDGER_SHARE = 0.6;
/**
 * Share of the limit that all ledgers together may use even if the process uses more than its limit. Something else has
 * the memory then, and ending upstreams would not give it back.
 */
const SPARED_SHARE = 0.25;
/** ms for which a measurement of the process is used. */
const MEASURE_INTERVAL = 250;
/** Bytes by which the ledgers may grow before the process is measured again. */
const MEASURE_STEP = 4 * 2 ** 20;

/** What a process uses, bytes. */
export interface MemoryUse {
  /** Memory that it has from the system (RSS). */
  readonly resident: number;
  /** The part of it that media can be read into. */
  readonly free: number;
}

/**
 * The memory of all upstreams of a process, and its limit (`kmp_rtmp_mem_limit`). Without it, a thousand upstreams that
 * each keep their own limit could use more than the machine has, and the kernel would end all of them.
 *
 * Memory is checked when it is taken: {@link mayGrow} is asked before bytes are read into memory that the process does
 * not have yet, and the ledgers' growth is followed by measurements of the process.
 */
export class ProcessMemory {
  private charged = 0;
  private measuredAt = -Infinity;
  private use: MemoryUse = { resident: 0, free: 0 };
  /** The process is measured when the ledgers count so many bytes. */
  private nextMeasure = MEASURE_STEP;
  /** True from when too much is used until upstreams have ended and have given their memory back. */
  private exceeding = false;
  private readonly ledgerLimit: number;
  private readonly spared: number;
  /** Called when too much is used, after the present work is done: ends the upstream that uses most. */
  onExceeded: (message: string) => void = () => {};

  /**
   * @param limit bytes; Infinity: none
   * @param measure what the process uses
   */
  constructor(
    private readonly limit: number,
    private readonly clock: Clock,
    private readonly measure: () => MemoryUse = measureProcess,
  ) {
    this.ledgerLimit = limit * LEDGER_SHARE;
    this.spared = limit * SPARED_SHARE;
  }

  /** Bytes that all ledgers have charged. */
  get used(): number {
    return this.charged;
  }

  /** Why no new upstream may begin; undefined if one may. */
  get refusal(): string | undefined {
    if (this.limit === Infinity) return undefined;
    if (this.clock.now() - this.measuredAt >= MEASURE_INTERVAL) this.remeasure();
    const { inUse, limit } = this;
    if (inUse <= limit * ADMISSION_SHARE) return undefined;
    return `the process uses ${inUse} of ${limit} bytes (kmp_rtmp_mem_limit); more senders need more memory, or another machine`;
  }

  /**
   * Whether the process may take more memory from the system to read media into. If not, upstreams end for it in a
   * moment, and what they used is free.
   */
  get mayGrow(): boolean {
    if (this.limit === Infinity) return true;
    if (this.exceeding) return false;
    this.remeasure();
    return !this.isFull(this.use.resident);
  }

  charge(bytes: number): void {
    this.charged += bytes;
    if (this.charged > this.ledgerLimit) this.exceed(0);
    else if (this.charged > this.nextMeasure) this.follow();
  }

  release(bytes: number): void {
    this.charged -= bytes;
    if (this.charged + 2 * MEASURE_STEP < this.nextMeasure) this.nextMeasure = this.charged + MEASURE_STEP;
  }

  private get inUse(): number {
    return this.use.resident - this.use.free;
  }

  /** Measures the process because the ledgers have grown. */
  private follow(): void {
    this.nextMeasure = this.charged + MEASURE_STEP;
    if (this.limit === Infinity) return;
    this.remeasure();
    this.isFull(this.inUse);
  }

  private remeasure(): void {
    this.measuredAt = this.clock.now();
    try {
      this.use = this.measure();
    } catch {
      // The system tells it in a file. If no descriptor is free, the last measurement counts.
    }
  }

  /**
   * Whether the process uses more than its limit because of what upstreams hold. Some end then.
   *
   * @param used bytes
   */
  private isFull(used: number): boolean {
    if (used <= this.limit || this.charged <= this.spared) return false;
    this.exceed(used - this.limit);
    return true;
  }

  /** @param excess bytes that the process uses beyond its limit */
  private exceed(excess: number): void {
    if (this.exceeding) return;
    this.exceeding = true;
    // Deferred, because the code that charges is in the middle of something.
    setImmediate(() => {
      this.endUpstreams(excess === 0 ? this.ledgerLimit : Math.max(this.spared, this.charged - excess));
      // An upstream that has ended gives its memory back in the next turn of the event loop.
      setImmediate(() => {
        this.exceeding = false;
        if (this.charged > this.ledgerLimit) this.exceed(0);
      });
    });
  }

  /** Ends upstreams, one after the other, until the ledgers count at most `enough` bytes. */
  private endUpstreams(enough: number): void {
    while (this.charged > Math.min(enough, this.ledgerLimit)) {
      const before = this.charged;
      this.onExceeded(this.charged > this.ledgerLimit ? this.tooMuch : this.full);
      if (this.charged >= before) return;
    }
  }

  private get tooMuch(): string {
    return `all upstreams together use ${this.charged} bytes, which is too much for a process that may use ${this.limit} (kmp_rtmp_mem_limit), and this one uses most`;
  }

  private get full(): string {
    return `the process uses ${this.use.resident} of ${this.limit} bytes (kmp_rtmp_mem_limit), and this upstream uses most of them`;
  }
}

function measureProcess(): MemoryUse {
  return { resident: process.memoryUsage.rss(), free: blockPool.bytes - blockPool.usedBytes };
}
