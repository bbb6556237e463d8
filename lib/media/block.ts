import { PAGE, Slabs, type Place } from './slab.js';

/** The largest block, bytes. */
const LARGEST = 64 * PAGE;

const NO_MEMORY = Buffer.alloc(0);

/**
 * A piece of memory that sockets are read into, and that is used again when nobody needs what was read into it any more.
 * Whoever keeps a slice beyond the call that it came with has a hold on the block, and lets go of it once.
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

  /** Gives back the pages in which nothing is. To be called by who fills it. */
  shorten(): void {
    const pages = Math.max(1, Math.ceil(this.used / PAGE));
    if (pages * PAGE === this.buffer.length || this.lease.place === undefined) return;
    this.pool.shorten(this.lease.place, pages);
    this.buffer = this.buffer.subarray(0, pages * PAGE);
  }

  /** With memory of its own, and one hold on it. */
  open(place: Place, size: number): this {
    const start = place.page * PAGE;
    this.lease.place = place;
    this.buffer = place.slab.memory.subarray(start, start + size);
    this.used = 0;
    this.holds = 1;
    return this;
  }
}

/** What a block has of the slabs; apart from it, so that it can be given back when the block itself was lost. */
interface Lease {
  place: Place | undefined;
}

/**
 * The blocks of a process. Live media needs the same memory over and over; taken afresh for each read, it would be
 * garbage that V8 counts against its external memory, and collects at a cost of more CPU than the media itself
 * (docs/performance.md). What a block that is never given back held (its connection failed) is free once that is collected.
 */
export class BlockPool {
  private readonly slabs = new Slabs();
  /** Objects without memory, to be used again. */
  private readonly free: Block[] = [];
  private readonly lost = new FinalizationRegistry<Lease>((lease) => this.giveBack(lease));

  /** A block of at least `wanted` bytes, or of 256 KiB if that is less; with one hold on it, the caller's. */
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

  /** Bytes that the pool has of the system, in use or not. */
  get bytes(): number {
    return this.slabs.bytes;
  }

  /** Bytes of the blocks that are held. */
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

/** Marks `chunk` as a slice of `block`, which has a hold for it. */
export function markBlock(chunk: Buffer, block: Block): Buffer {
  (chunk as InBlock)[BLOCK] = block;
  return chunk;
}

/** The block that `chunk` is a slice of, if it was read into one. */
export function blockOf(chunk: Buffer): Block | undefined {
  return (chunk as InBlock)[BLOCK];
}
