import { Frame } from '../media/frame.js';
import type { KmpPacket } from './packet.js';

/** Slices of a packet before small ones are copied together. A frame has one to three slices in ordinary reads. */
const FREE_SLICES = 8;
/**
 * Beyond {@link FREE_SLICES}, slices smaller than this, bytes, are copied into a common buffer.
 */
const SMALL = 4096;
/** Size of such a buffer, bytes. */
const BLOCK = 16384;

/**
 * Assembles the data of one packet from its pieces. Pieces are kept as slices of the buffers that were read. If a
 * sender sends very small pieces, they are copied together, since a slice of one byte costs some 200 bytes. Memory is
 * allocated only for bytes that have arrived, except for the rest of one buffer.
 */
export class PayloadAssembler {
  /** Bytes of all pieces. */
  size = 0;
  private parts: Buffer[] = [];
  /** The buffer that is being filled; its filled part is the last entry of `parts`. */
  private block: Buffer | undefined;
  private filled = 0;

  /**
   * @param missing bytes of the packet that are still missing after this piece: no buffer is larger than what can
   *   still arrive
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

  /** Returns the pieces in order, and clears the assembler. */
  take(): Buffer[] {
    const parts = this.parts;
    this.parts = [];
    this.block = undefined;
    this.size = 0;
    return parts;
  }

  /**
   * Like {@link take}, but returns a copy in one buffer that keeps no read buffer alive.
   */
  takeCopy(): Buffer {
    // Not Buffer.concat: it would use the pool for small results, and keep 8 KiB alive for 40 bytes.
    const copy = Buffer.allocUnsafeSlow(this.size);
    let at = 0;
    for (const part of this.take()) at += part.copy(copy, at);
    return copy;
  }

  /**
   * The current pieces; {@link detachFromChunk} may replace them.
   */
  get pieces(): Buffer[] {
    return this.parts;
  }
}

/** Buffers up to this size, bytes, are not worth a copy. */
const WORTH_FREEING = 1024;

/**
 * Copies out what is kept of a chunk if that is little, since a slice keeps its whole buffer alive: with a tiny frame
 * behind much padding, memory would grow far beyond the sizes of the frames. Ordinary reads are nearly all payload,
 * and are not copied.
 *
 * @param chunk the buffer with the chunk, which is its bytes `start` to `end`
 * @param kept bytes of it that `packets` and `assembler` refer to, or more
 * @returns true if nothing refers to `chunk` any more
 */
export function detachFromChunk(
  chunk: Buffer,
  start: number,
  end: number,
  kept: number,
  packets: readonly KmpPacket[],
  assembler: PayloadAssembler,
): boolean {
  if (kept === 0) return true;
  if (kept * 2 >= end - start || end - start < WORTH_FREEING) return false;
  const target = Buffer.allocUnsafeSlow(kept);
  let used = 0;
  for (const packet of packets) {
    if (!(packet instanceof Frame)) continue;
    if (packet.buffer === undefined) {
      used = moveSlices(chunk, start, end, packet.parts, target, used);
    } else {
      chunk.copy(target, used, packet.start, packet.start + packet.size);
      packet.buffer = target;
      packet.start = used;
      used += packet.size;
    }
  }
  moveSlices(chunk, start, end, assembler.pieces, target, used);
  return true;
}

/** Copies the slices of the chunk among `parts` to `target`, from `used` on, and replaces them by the copies. */
function moveSlices(
  chunk: Buffer,
  start: number,
  end: number,
  parts: readonly Buffer[],
  target: Buffer,
  used: number,
): number {
  const first = chunk.byteOffset + start;
  const last = chunk.byteOffset + end;
  parts.forEach((part, index) => {
    if (part.buffer !== chunk.buffer || part.byteOffset < first || part.byteOffset + part.length > last) return;
    // Possible only if the same buffer was fed twice: what does not fit stays in its place.
    if (used + part.length > target.length) return;
    const next = used + part.copy(target, used);
    // These lists belong to the parser; no one else has them yet.
    (parts as Buffer[])[index] = target.subarray(used, next);
    used = next;
  });
  return used;
}
