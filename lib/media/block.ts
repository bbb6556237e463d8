import { PAGE, Slabs, type Place } from './slab.js';

/** The largest block, bytes. */
const LARGEST = 64 * PAGE;

const NO_MEMORY = Buffer.alloc(0);
const NO_VIEW = new DataView(NO_MEMORY.buffer, 0, 0);

/**
 * Memory that sockets are read into, used again when nothing refers to its content. A holder of a slice that keeps it
 * beyond the current call retains the block, and releases it once.
 */
export class Block {
  /**
   * The buffer that has the memory of the block: its bytes `start` to `start + size`. Other blocks are in the same
   * buffer. There is no slice for each block, because it would be garbage that long-lived frames refer to.
   */
  memory: Buffer = NO_MEMORY;
  /** The bytes of {@link memory}. */
  view = NO_VIEW;
  start = 0;
  size = 0;
  /** Bytes filled so far. */
  used = 0;
  private holds = 0;

  /**
   * @param place the memory that the block has of the slabs; only for the pool. Separate from the block, so that it can
   *   be released after the block itself was garbage-collected
   */
  constructor(
    private readonly pool: BlockPool,
    readonly place: Place,
  ) {}

  /** The memory as a slice. */
  get buffer(): Buffer {
    return this.memory.subarray(this.start, this.start + this.size);
  }

  /** Bytes that are not filled. */
  get room(): number {
    return this.size - this.used;
  }

  /** Position in {@link memory} of the next byte to be filled. */
  get end(): number {
    return this.start + this.used;
  }

  /** @param holds how many are added */
  retain(holds = 1): void {
    this.holds += holds;
  }

  /** @param holds how many are removed */
  release(holds = 1): void {
    this.holds -= holds;
    if (this.holds > 0) return;
    this.memory = NO_MEMORY;
    this.view = NO_VIEW;
    this.start = this.size = 0;
    this.pool.recycle(this);
  }

  /** Returns the unused pages at the end to the pool. For the owner that fills the block. */
  shorten(): void {
    const pages = Math.max(1, Math.ceil(this.used / PAGE));
    if (pages * PAGE === this.size || this.place.slab === undefined) return;
    this.pool.shorten(this, pages);
    this.size = pages * PAGE;
  }

  /** Begins to use the memory at its place, with one hold. */
  open(size: number): this {
    const { slab, page } = this.place;
    this.memory = slab?.memory ?? NO_MEMORY;
    this.view = slab?.view ?? NO_VIEW;
    this.start = page * PAGE;
    this.size = size;
    this.used = 0;
    this.holds = 1;
    return this;
  }
}

/**
 * The blocks of a process. Live media needs the same amount of memory again and again. Freshly allocated for each
 * read, it would be garbage that V8 counts as external memory, and collecting it would cost more CPU than the media
 * itself (docs/performance.md). A block that is never released, because its connection failed, becomes free when it
 * is garbage-collected.
 */
export class BlockPool {
  private readonly slabs = new Slabs();
  /** Objects without memory, for reuse. */
  private readonly free: Block[] = [];
  private readonly leaked = new FinalizationRegistry<Place>((place) => this.slabs.release(place));

  /** A block of at least `wanted` bytes, or of 256 KiB if that is less. It has one hold, for the caller. */
  take(wanted: number): Block {
    const pages = pagesOf(wanted);
    const block = this.free.pop() ?? this.make();
    this.slabs.take(pages, block.place);
    return block.open(pages * PAGE);
  }

  /** Like {@link take}, but undefined if the pool would have to allocate memory for it. */
  takeFree(wanted: number): Block | undefined {
    const pages = pagesOf(wanted);
    const block = this.free.pop() ?? this.make();
    if (this.slabs.takeFree(pages, block.place)) return block.open(pages * PAGE);
    this.free.push(block);
    return undefined;
  }

  recycle(block: Block): void {
    this.slabs.release(block.place);
    this.free.push(block);
  }

  shorten(block: Block, pages: number): void {
    this.slabs.shorten(block.place, pages);
  }

  /** Bytes that the pool has allocated, in use or not. */
  get bytes(): number {
    return this.slabs.bytes;
  }

  /** Bytes of the blocks that are in use. */
  get usedBytes(): number {
    return this.slabs.usedBytes;
  }

  private make(): Block {
    const place: Place = { slab: undefined, page: 0 };
    const block = new Block(this, place);
    this.leaked.register(block, place);
    return block;
  }
}

function pagesOf(wanted: number): number {
  return Math.max(1, Math.ceil(Math.min(wanted, LARGEST) / PAGE));
}

/** The block pool of this process. */
export const blockPool = new BlockPool();

const BLOCK = Symbol('block');

interface InBlock {
  [BLOCK]?: Block | undefined;
}

/** Marks `chunk` as a slice of `block`. The block has a hold for it. */
export function markBlock(chunk: Buffer, block: Block): Buffer {
  (chunk as InBlock)[BLOCK] = block;
  return chunk;
}

/** The block that `chunk` is a slice of; undefined if it was not read into a block. */
export function blockOf(chunk: Buffer): Block | undefined {
  return (chunk as InBlock)[BLOCK];
}
