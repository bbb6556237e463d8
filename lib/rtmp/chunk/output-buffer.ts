import { blockPool, type Block } from '../../media/block.js';

/**
 * Pieces up to this many bytes are copied next to the headers: that is cheaper than an entry of their own in writev.
 */
const COPY_LIMIT = 768;

/** Bytes of a slab for headers and small pieces. */
const SLAB_SIZE = 16 * 1024;

/** The slab of an empty buffer. */
const NO_SLAB = Buffer.alloc(0);

/**
 * Collects the bytes to be sent as a list of buffers for one writev. Headers and small pieces are written into slabs.
 * Large payloads are added as slices of what was read, without a copy.
 */
export class OutputBuffer {
  /** The current slab and the position in it: call `reserve`, write here, and add to `pos`. */
  slab: Buffer = NO_SLAB;
  pos = 0;
  /**
   * True: slabs are blocks of the pool, so that an idle connection holds none, and sent bytes leave no garbage. Only
   * for an owner that keeps the blocks of {@link takeBlocks} for as long as anything refers to the buffers. Default
   * false: taken buffers may be kept, and written several times; the garbage collector frees them.
   */
  pooled = false;
  /** Blocks of the collected bytes; the last one is the current slab. */
  private blocks: Block[] = [];
  private takenBlocks: Block[] = [];
  private runStart = 0;
  private closed: Buffer[] = [];
  private closedBytes = 0;
  private sliceBytes = 0;

  /** Bytes collected and not taken yet. */
  get length(): number {
    return this.closedBytes + this.pos - this.runStart;
  }

  /**
   * The part of {@link length} that was written or copied here: memory in addition to the payloads.
   */
  get copied(): number {
    return this.length - this.sliceBytes;
  }

  /** Makes room for `n` contiguous bytes at `slab[pos]`. */
  reserve(n: number): void {
    if (this.slab.length - this.pos >= n) return;
    this.closeRun();
    this.slab = this.newSlab(Math.max(SLAB_SIZE, n));
    this.pos = 0;
    this.runStart = 0;
  }

  /**
   * Adds bytes `start` to `end` of `piece`: a few are copied, more are added as a slice that keeps the memory of
   * `piece` in use.
   */
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

  /** Takes everything collected, in order; the buffer is empty afterwards. */
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
   * The blocks that hold the result of the last {@link take}, without the payloads, if they are {@link pooled}. The
   * caller owns one hold on each, and releases it once the bytes are sent. A block that nothing refers to any more is
   * reused in any case.
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
