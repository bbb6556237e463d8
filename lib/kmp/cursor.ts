const noBytes: Buffer = Buffer.alloc(0);

/**
 * A place in the input, which comes chunk by chunk. Small fields that a cut runs through are put together in a buffer
 * that is made once; all else is skipped or sliced.
 */
export class Cursor {
  /** Where {@link take} has found its bytes, from {@link windowAt} on; valid until the next call. */
  window = noBytes;
  windowAt = 0;
  /** Offset in the present chunk. */
  pos = 0;
  /** Bytes held of fields that are not complete. */
  held = 0;
  /** The present chunk. */
  chunk = noBytes;
  private readonly scratch: Buffer;

  /** @param most the largest size that {@link take} will be asked for, in bytes */
  constructor(most: number) {
    this.scratch = Buffer.allocUnsafeSlow(most);
  }

  /** Goes to the start of the next chunk. */
  open(chunk: Buffer): void {
    this.chunk = chunk;
    this.pos = 0;
  }

  /** Lets the chunk go. */
  close(): void {
    this.chunk = noBytes;
    this.window = noBytes;
  }

  /** Bytes of the chunk that are still to be read. */
  get rest(): number {
    return this.chunk.length - this.pos;
  }

  /** Points the window at the next `size` bytes. False if they are not all here: ask again with the next chunk. */
  take(size: number): boolean {
    const { chunk, pos } = this;
    if (this.held === 0 && chunk.length - pos >= size) {
      this.window = chunk;
      this.windowAt = pos;
      this.pos = pos + size;
      return true;
    }
    const taken = chunk.copy(this.scratch, this.held, pos, pos + size - this.held);
    this.pos += taken;
    this.held += taken;
    if (this.held < size) return false;
    this.held = 0;
    this.window = this.scratch;
    this.windowAt = 0;
    return true;
  }

  /** Passes over `size` bytes, which must be there; where they begin. */
  pass(size: number): number {
    const start = this.pos;
    this.pos = start + size;
    return start;
  }

  /** Passes over up to `most` bytes; how many there were. */
  skip(most: number): number {
    const skipped = Math.min(most, this.rest);
    this.pos += skipped;
    return skipped;
  }

  /** The next bytes, up to `most`, as a slice of the chunk. */
  slice(most: number): Buffer {
    const end = Math.min(this.pos + most, this.chunk.length);
    const bytes = this.chunk.subarray(this.pos, end);
    this.pos = end;
    return bytes;
  }
}
