const ARENA_BYTES = 64 << 20;
/** A turn of one upstream writes at most this much; what is left over goes at its next turn. */
const OUTPUT_BYTES = 4 << 20;
/** Room in front, where a packet header that the end of a ring cuts is put together. */
const SPARE_BYTES = 64;

/**
 * Memory that holds the rings of many tracks and, in front of them, the one output buffer that all of them use. Rings
 * and output lie in the same memory, because copying inside of one buffer needs no object.
 */
export class Arena {
  static readonly spare = 0;
  static readonly output = SPARE_BYTES;
  static readonly outputEnd = SPARE_BYTES + OUTPUT_BYTES;

  readonly bytes: Buffer;
  readonly view: DataView;
  private used = Arena.outputEnd;

  /** @param atLeast bytes for rings */
  constructor(atLeast = 0) {
    this.bytes = Buffer.allocUnsafeSlow(Arena.outputEnd + Math.max(ARENA_BYTES, atLeast));
    this.view = new DataView(this.bytes.buffer);
  }

  /** @returns where the place begins; undefined: no place of this size is left */
  take(size: number): number | undefined {
    const at = this.used;
    if (at + size > this.bytes.length) return undefined;
    this.used += size;
    return at;
  }
}
