import { Frame } from '../media/frame.js';
import type { KmpPacket } from './packet.js';

/** So many slices a packet may have before small ones are put together. A frame in healthy reads has one to three. */
const FREE_SLICES = 8;
/** Beyond {@link FREE_SLICES}, a slice below this size, in bytes, is copied into a block with its neighbours. */
const SMALL = 4096;
/** Size of such a block, in bytes. */
const BLOCK = 16384;

/**
 * The data of one packet, as its pieces come in. Pieces are kept as they are, slices of the buffers that were read; only
 * if a sender dribbles its bytes are small ones copied together, for a slice of one byte costs some 200 bytes to keep.
 * Nothing is allocated for what has not arrived yet, but for the rest of one block.
 */
export class Gather {
  /** Bytes in all pieces. */
  size = 0;
  private parts: Buffer[] = [];
  /** The block being filled: its filled part is the last of `parts`. */
  private block: Buffer | undefined;
  private filled = 0;

  /**
   * @param missing bytes of the packet's data that are still to come after this piece: a block is never larger than
   *   what can still be put into it
   */
  add(piece: Buffer, missing: number): void {
    this.size += piece.length;
    if (this.block !== undefined) {
      const taken = piece.copy(this.block, this.filled);
      this.filled += taken;
      this.parts[this.parts.length - 1] = this.block.subarray(0, this.filled);
      if (this.filled === this.block.length) this.block = undefined;
      if (taken === piece.length) return;
      piece = piece.subarray(taken);
    }
    if (this.parts.length < FREE_SLICES || piece.length >= SMALL) {
      this.parts.push(piece);
      return;
    }
    this.block = Buffer.allocUnsafeSlow(Math.min(BLOCK, piece.length + missing));
    this.filled = piece.copy(this.block);
    this.parts.push(this.block.subarray(0, this.filled));
    if (this.filled === this.block.length) this.block = undefined;
  }

  /** Gives the pieces away, in order, and is empty again. */
  take(): Buffer[] {
    const parts = this.parts;
    this.parts = [];
    this.block = undefined;
    this.size = 0;
    return parts;
  }

  /** As {@link take}, but copied together: a buffer of its own that holds no read buffer alive. */
  takeCopy(): Buffer {
    // Not Buffer.concat, which would take small ones from the pool, and keep 8 KiB alive with 40 bytes.
    const copy = Buffer.allocUnsafeSlow(this.size);
    let at = 0;
    for (const part of this.take()) at += part.copy(copy, at);
    return copy;
  }

  /** The pieces held now; for {@link rehome}, which may replace them. */
  get pieces(): Buffer[] {
    return this.parts;
  }
}

/** Buffers at most this long, in bytes, are not worth a copy to be let go. */
const WORTH_FREEING = 1024;

/**
 * A slice keeps the whole of its buffer alive. If little of what was read is kept (a tiny frame behind much padding, say),
 * memory would grow far past what the frames' sizes add up to: then what is kept is copied out. Ordinary reads are
 * nearly all payload, and are left alone.
 *
 * @param chunk the buffer that was read
 * @param kept bytes of it that are referred to by `packets` and `gather`, or more
 * @returns true if nothing refers to `chunk` any more
 */
export function rehome(chunk: Buffer, kept: number, packets: readonly KmpPacket[], gather: Gather): boolean {
  if (kept === 0) return true;
  if (kept * 2 >= chunk.length || chunk.length < WORTH_FREEING) return false;
  const home = Buffer.allocUnsafeSlow(kept);
  let used = 0;
  for (const packet of packets) {
    if (!(packet instanceof Frame)) continue;
    if (packet.whole === undefined) {
      used = moveSlices(chunk, packet.parts, home, used);
    } else {
      chunk.copy(home, used, packet.start, packet.start + packet.size);
      packet.whole = home;
      packet.start = used;
      used += packet.size;
    }
  }
  moveSlices(chunk, gather.pieces, home, used);
  return true;
}

/** Copies the slices of `chunk` among `parts` to `home`, from `used` on, and puts the copies in their places. */
function moveSlices(chunk: Buffer, parts: readonly Buffer[], home: Buffer, used: number): number {
  const first = chunk.byteOffset;
  const last = first + chunk.length;
  parts.forEach((part, index) => {
    if (part.buffer !== chunk.buffer || part.byteOffset < first || part.byteOffset + part.length > last) return;
    // Only if the same buffer was fed twice: what does not fit stays where it is.
    if (used + part.length > home.length) return;
    const end = used + part.copy(home, used);
    // The parser's own lists, which no one else has seen yet.
    (parts as Buffer[])[index] = home.subarray(used, end);
    used = end;
  });
  return used;
}
