import { PAGE, Slabs, type Place } from './slab.js';

/** The largest block, bytes. */
const LARGEST = 64 * PAGE;

const NO_MEMORY = Buffer.alloc(0);

/**
 * A piece of memory that sockets are read into. It is used again when its contents are not needed any more. Code that
 * keeps a slice beyond the call that passed it must take a hold on the block, and release it once.
 */
export class Block {
  buffer: Buffer = NO_MEMORY;
  /** Bytes filled so far. */
  used = 0;
  private holds = 0;

  constructor(
    private readonly pool: BlockPool,
    private readonly lease: Lease,
  ) {}

  retain(): void {
    this.holds++;
  }

  release(): void {
    if (--this.holds > 0) return;
    this.buffer = NO_MEMORY;
    this.pool.takeBack(this, this.lease);
  }

  /** Gives back the unused pages. Only the reader that fills the block may call it. */
  shorten(): void {
    const pages = Math.max(1, Math.ceil(this.used / PAGE));
    if (pages * PAGE === this.buffer.length || this.lease.place === undefined) return;
    this.pool.shorten(this.lease.place, pages);
    this.buffer = this.buffer.subarray(0, pages * PAGE);
  }

  /** Gives the block its memory, with one hold on it. */
  open(place: Place, size: number): this {
    const start = place.page * PAGE;
    this.lease.place = place;
    this.buffer = place.slab.memory.subarray(start, start + size);
    this.used = 0;
    this.holds = 1;
    return this;
  }
}

/**
 * The memory of a block. It is a separate object, so that the memory can be given back when the block itself was lost.
 */
interface Lease {
  place: Place | undefined;
}

/**
 * The blocks of a process. Live media needs the same amount of memory again and again. If each read allocated it, V8
 * would count it as external memory and collect it, which costs more CPU than the media itself (docs/performance.md).
 * If a connection fails and a block is never released, its memory is free when the block is garbage-collected.
 */
export class BlockPool {
  private readonly slabs = new Slabs();
  /** Block objects without memory, for later use. */
  private readonly free: Block[] = [];
  private readonly lost = new FinalizationRegistry<Lease>((lease) => this.giveBack(lease));

  /** A block of at least `wanted` bytes, but not more than 256 KiB. The caller has one hold on it. */
  take(wanted: number): Block {
    const pages = Math.max(1, Math.ceil(Math.min(wanted, LARGEST) / PAGE));
    return (this.free.pop() ?? this.make()).open(this.slabs.take(pages), pages * PAGE);
  }

  takeBack(block: Block, lease: Lease): void {
    this.giveBack(lease);
    this.free.push(block);
  }

  shorten(place: Place, pages: number): void {
    this.slabs.shorten(place, pages);
  }

  /** Bytes that the pool has allocated from the system, used or not. */
  get bytes(): number {
    return this.slabs.bytes;
  }

  /** Bytes of the blocks in use. */
  get usedBytes(): number {
    return this.slabs.usedBytes;
  }

  private make(): Block {
    const lease: Lease = { place: undefined };
    const block = new Block(this, lease);
    this.lost.register(block, lease);
    return block;
  }

  private giveBack(lease: Lease): void {
    const { place } = lease;
    lease.place = undefined;
    if (place !== undefined) this.slabs.giveBack(place);
  }
}

/** The blocks of this process. */
export const blockPool = new BlockPool();

const BLOCK = Symbol('block');

interface InBlock {
  [BLOCK]?: Block | undefined;
}

/** Marks `chunk` as a slice of `block`. The chunk has a hold on the block. */
export function markBlock(chunk: Buffer, block: Block): Buffer {
  (chunk as InBlock)[BLOCK] = block;
  return chunk;
}

/** The block that `chunk` is a slice of, if it was read into one. */
export function blockOf(chunk: Buffer): Block | undefined {
  return (chunk as InBlock)[BLOCK];
}
