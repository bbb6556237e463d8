/** Sizes that blocks come in, bytes. */
const SIZES = [4096, 16384, 65536, 131072] as const;

/** How often memory that has not been needed lately is let go, ms. */
const TRIM_INTERVAL = 2000;

/**
 * A piece of memory that sockets are read into, and that is used again when nobody needs what was read into it any more.
 * Whoever keeps a slice beyond the call that it came with has a hold on the block, and lets go of it once.
 */
export class Block {
  /** Bytes filled so far. */
  used = 0;
  private holds = 1;

  constructor(
    readonly buffer: Buffer,
    private readonly pool: BlockPool,
  ) {}

  hold(): void {
    this.holds++;
  }

  letGo(): void {
    if (--this.holds === 0) this.pool.takeBack(this);
  }

  /** Makes a block that was given back as good as new. */
  renew(): this {
    this.used = 0;
    this.holds = 1;
    return this;
  }
}

class Shelf {
  readonly free: Block[] = [];
  /** Fewest free blocks since the last trim: so many were not needed. */
  least = 0;
}

/**
 * The blocks of a process. Live media needs the same memory over and over; taken afresh for each read, it would be
 * garbage that V8 counts against its external memory, and collects at a cost of more CPU than the media itself
 * (docs/performance.md). A block that is never given back (its connection failed) is the garbage collector's.
 */
export class BlockPool {
  private readonly shelves = new Map<number, Shelf>();
  private timer: NodeJS.Timeout | undefined;

  /** A block of at least `wanted` bytes if there are such, else the largest; with one hold on it, the caller's. */
  take(wanted: number): Block {
    const size = SIZES.find((one) => one >= wanted) ?? SIZES[SIZES.length - 1] ?? wanted;
    const shelf = this.shelf(size);
    const block = shelf.free.pop();
    if (shelf.free.length < shelf.least) shelf.least = shelf.free.length;
    return block?.renew() ?? new Block(Buffer.allocUnsafeSlow(size), this);
  }

  takeBack(block: Block): void {
    this.shelf(block.buffer.length).free.push(block);
    this.timer ??= setInterval(() => this.trim(), TRIM_INTERVAL).unref();
  }

  /** Bytes that wait to be used again. */
  get freeBytes(): number {
    let bytes = 0;
    for (const [size, { free }] of this.shelves) bytes += size * free.length;
    return bytes;
  }

  private shelf(size: number): Shelf {
    let shelf = this.shelves.get(size);
    if (shelf === undefined) {
      shelf = new Shelf();
      this.shelves.set(size, shelf);
    }
    return shelf;
  }

  private trim(): void {
    for (const shelf of this.shelves.values()) {
      shelf.free.splice(0, shelf.least);
      shelf.least = shelf.free.length;
    }
    if (this.freeBytes === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
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
