import { blockPool, type Block } from '../../media/block.js';
import { copyBytes, renewCopies } from '../../node-internals/buffer-copy.js';

/**
 * Pieces up to this many bytes are copied next to the headers: that is cheaper than an entry of their own in writev.
 */
const COPY_LIMIT = 768;

/** Bytes of a slab for headers and small pieces. */
const SLAB_SIZE = 16 * 1024;

/** The slab of an empty buffer. */
const NO_SLAB = Buffer.alloc(0);

/**
 * Bytes of the memory that all {@link OutputBuffer.direct} buffers share, one at a time. It stays in the processor's
 * cache: the kernel copies from there faster than from thirty pieces of cold memory.
 */
const SHARED_SIZE = 512 * 1024;

/** A payload that was copied to the shared memory. */
interface Piece {
  /** Where the copy begins. */
  at: number;
  source: Buffer;
  start: number;
  size: number;
}

/** The shared memory, and the buffer that has its bytes there. */
const shared: {
  memory: Buffer | undefined;
  owner: OutputBuffer | undefined;
  /**
   * The payloads among the bytes: the first `pieceCount`. The objects are used again by all owners, so they stay in the
   * processor's cache as well.
   */
  readonly pieces: Piece[];
  pieceCount: number;
} = { memory: undefined, owner: undefined, pieces: [], pieceCount: 0 };

function forgetPieces(): void {
  // The objects stay, but must not keep the memory of payloads in use.
  for (let i = 0; i < shared.pieceCount; i++) {
    const piece = shared.pieces[i];
    if (piece !== undefined) piece.source = NO_SLAB;
  }
  shared.pieceCount = 0;
  // No buffer is kept in use by the last copy.
  renewCopies();
}

/**
 * Collects the bytes to be sent as a list of buffers for one writev. Headers and small pieces are written into slabs.
 * Large payloads are added as slices of what was read, without a copy.
 *
 * A {@link direct} buffer collects everything in one piece of shared memory instead, for one write. If the bytes have
 * to wait, it becomes the list of buffers that it would have been.
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
  /**
   * True: while nothing is collected, the next bytes go to the shared memory. For an owner that usually writes what
   * {@link inOnePiece} returns at once. Default false.
   */
  direct = false;
  /** Blocks of the collected bytes; the last one is the current slab. */
  private blocks: Block[] = [];
  private takenBlocks: Block[] = [];
  private runStart = 0;
  private closed: Buffer[] = [];
  private closedBytes = 0;
  private sliceBytes = 0;
  /** True while all collected bytes are in the shared memory. */
  private isShared = false;

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

  /**
   * The memory that begins with all collected bytes; undefined if they are not in one piece. It is valid until another
   * buffer is written to.
   */
  get inOnePiece(): Buffer | undefined {
    return this.isShared ? this.slab : undefined;
  }

  /** Makes room for `n` contiguous bytes at `slab[pos]`. */
  reserve(n: number): void {
    if (this.slab.length - this.pos < n) this.extend(n);
  }

  /**
   * Adds bytes `start` to `end` of `piece`: a few are copied, more are added as a slice that keeps the memory of
   * `piece` in use.
   */
  append(piece: Buffer, start = 0, end = piece.length): void {
    const n = end - start;
    if (n <= COPY_LIMIT) {
      this.reserve(n);
      copyBytes(piece, start, n, this.slab, this.pos);
      this.pos += n;
      return;
    }
    if (this.isShared) {
      if (this.slab.length - this.pos >= n) {
        this.share(piece, start, n);
        return;
      }
      this.moveOut();
    }
    this.closeRun();
    this.closed.push(start === 0 && end === piece.length ? piece : piece.subarray(start, end));
    this.closedBytes += n;
    this.sliceBytes += n;
  }

  /** Takes everything collected, in order; the buffer is empty afterwards. */
  take(): Buffer[] {
    if (this.isShared) this.moveOut();
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

  /** Forgets the bytes of {@link inOnePiece}: they are sent, or not needed. Without effect if there are none. */
  clear(): void {
    if (!this.isShared) return;
    shared.owner = undefined;
    this.isShared = false;
    forgetPieces();
    this.sliceBytes = 0;
    this.slab = NO_SLAB;
    this.pos = 0;
  }

  private extend(n: number): void {
    if (this.isShared) this.moveOut();
    else if (this.direct && n <= SHARED_SIZE && this.length === 0) return this.enterShared();
    if (this.slab.length - this.pos < n) this.nextSlab(Math.max(SLAB_SIZE, n));
  }

  private nextSlab(size: number): void {
    this.closeRun();
    this.slab = this.newSlab(size);
    this.pos = 0;
    this.runStart = 0;
  }

  private enterShared(): void {
    shared.owner?.moveOut();
    shared.owner = this;
    this.isShared = true;
    this.slab = shared.memory ??= Buffer.allocUnsafeSlow(SHARED_SIZE);
    this.pos = 0;
    this.runStart = 0;
  }

  private share(source: Buffer, start: number, size: number): void {
    const at = this.pos;
    copyBytes(source, start, size, this.slab, at);
    this.pos = at + size;
    this.sliceBytes += size;
    const piece = shared.pieces[shared.pieceCount++];
    if (piece === undefined) {
      shared.pieces.push({ at, source, start, size });
      return;
    }
    piece.at = at;
    piece.source = source;
    piece.start = start;
    piece.size = size;
  }

  /** The bytes have to wait, so they leave the shared memory. Payloads become slices again. */
  private moveOut(): void {
    const { slab: from, pos: length } = this;
    const { pieces, pieceCount } = shared;
    shared.owner = undefined;
    this.isShared = false;
    this.slab = NO_SLAB;
    this.pos = 0;
    this.sliceBytes = 0;
    let done = 0;
    for (let i = 0; i < pieceCount; i++) {
      const piece = pieces[i];
      if (piece === undefined) continue;
      const { at, source, start, size } = piece;
      this.copyRun(from, done, at);
      this.append(source, start, start + size);
      done = at + size;
    }
    this.copyRun(from, done, length);
    forgetPieces();
  }

  private copyRun(from: Buffer, start: number, end: number): void {
    for (let at = start; at < end;) {
      if (this.slab.length === this.pos) this.nextSlab(SLAB_SIZE);
      const copied = from.copy(this.slab, this.pos, at, end);
      this.pos += copied;
      at += copied;
    }
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
