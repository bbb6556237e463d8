import { blockPool, type Block } from '../media/block.js';

/** Pieces up to this many bytes are copied in between the headers: cheaper than an entry of their own in writev. */
const COPY_LIMIT = 768;

/** Bytes of one slab that headers and small pieces are written into. */
const SLAB_SIZE = 16 * 1024;

/** The slab of a buffer in which nothing is gathered. */
const NO_SLAB = Buffer.alloc(0);

/**
 * Gathers what is to be sent as a list of buffers for one writev: headers and small pieces go into slabs, big payloads
 * are passed on as slices of what was read, uncopied.
 */
export class OutputBuffer {
  /** The current slab and the place in it: `reserve` first, then write here and add to `pos`. */
  slab: Buffer = NO_SLAB;
  pos = 0;
  /**
   * Whether slabs are blocks of the pool, so that a connection that has nothing to send holds none, and what was sent leaves
   * no garbage. For those only who keep what {@link takeBlocks} gives for as long as they, or others, need the buffers. Default
   * false: what was taken may be kept, and written several times; its memory is the garbage collector's.
   */
  pooled = false;
  /** Blocks of what is gathered; the last of them is the current slab. */
  private blocks: Block[] = [];
  private takenBlocks: Block[] = [];
  private runStart = 0;
  private closed: Buffer[] = [];
  private closedBytes = 0;
  private sliceBytes = 0;

  /** Bytes gathered and not yet taken. */
  get length(): number {
    return this.closedBytes + this.pos - this.runStart;
  }

  /** Of {@link length}, what was written or copied here: memory beside that of the payloads. */
  get copied(): number {
    return this.length - this.sliceBytes;
  }

  /** Makes room for `n` bytes in one piece at `slab[pos]`. */
  reserve(n: number): void {
    if (this.slab.length - this.pos >= n) return;
    this.closeRun();
    this.slab = this.newSlab(Math.max(SLAB_SIZE, n));
    this.pos = 0;
    this.runStart = 0;
  }

  /** Adds bytes `start` .. `end` of `piece`: copied when few, else as a slice that keeps `piece`'s memory in use. */
  append(piece: Buffer, start = 0, end = piece.length): void {
    const n = end - start;
    if (n <= COPY_LIMIT) {
      this.reserve(n);
      piece.copy(this.slab, this.pos, start, end);
      this.pos += n;
      return;
    }
    this.closeRun();
    this.closed.push(start === 0 && end === piece.length ? piece : piece.subarray(start, end));
    this.closedBytes += n;
    this.sliceBytes += n;
  }

  /** Everything gathered so far, in order; the buffer is empty afterwards. */
  take(): Buffer[] {
    this.closeRun();
    const taken = this.closed;
    this.closed = [];
    this.closedBytes = 0;
    this.sliceBytes = 0;
    this.takenBlocks = this.blocks;
    this.blocks = [];
    if (this.takenBlocks.length === 0) return taken;
    this.slab = NO_SLAB;
    this.pos = 0;
    this.runStart = 0;
    return taken;
  }

  /**
   * The blocks that the last {@link take} lies in, beside the payloads', if they are {@link pooled}. Each has a hold that is the
   * caller's, to be let go once the bytes are sent. A block that nobody refers to any more is used again, let go or not.
   */
  takeBlocks(): Block[] {
    const blocks = this.takenBlocks;
    this.takenBlocks = [];
    return blocks;
  }

  private newSlab(size: number): Buffer {
    if (!this.pooled) return Buffer.allocUnsafeSlow(size);
    const block = blockPool.take(size);
    this.blocks.push(block);
    return block.buffer;
  }

  private closeRun(): void {
    if (this.pos === this.runStart) return;
    this.closed.push(this.slab.subarray(this.runStart, this.pos));
    this.closedBytes += this.pos - this.runStart;
    this.runStart = this.pos;
  }
}
