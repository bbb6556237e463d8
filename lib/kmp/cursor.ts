const noBytes: Buffer = Buffer.alloc(0);

/**
 * A position in input that arrives in chunks. Small fields that are cut by the end of a chunk are assembled in a
 * buffer that is allocated once. Everything else is skipped or sliced.
 */
export class Cursor {
  /**
   * The buffer with the bytes of the last {@link take}, which begin at {@link windowAt}; valid until the next call.
   */
  window = noBytes;
  windowAt = 0;
  /** Offset in the current chunk. */
  pos = 0;
  /** Bytes held of incomplete fields. */
  held = 0;
  /** The current chunk, and where it ends in that buffer. */
  chunk = noBytes;
  end = 0;
  private readonly scratch: Buffer;

  /**
   * @param maxSize the largest size of a {@link take}, bytes
   */
  constructor(maxSize: number) {
    this.scratch = Buffer.allocUnsafeSlow(maxSize);
  }

  /** Begins the next chunk: bytes `start` to `end` of a buffer. */
  open(chunk: Buffer, start: number, end: number): void {
    this.chunk = chunk;
    this.pos = start;
    this.end = end;
  }

  /** Releases the chunk. */
  close(): void {
    this.chunk = noBytes;
    this.end = this.pos = 0;
    this.window = noBytes;
  }

  /** Unread bytes of the chunk. */
  get rest(): number {
    return this.end - this.pos;
  }

  /**
   * Points the window at the next `size` bytes. Returns false if they are incomplete: call again with the next chunk.
   */
  take(size: number): boolean {
    const { chunk, pos, end } = this;
    if (this.held === 0 && end - pos >= size) {
      this.window = chunk;
      this.windowAt = pos;
      this.pos = pos + size;
      return true;
    }
    const taken = chunk.copy(this.scratch, this.held, pos, Math.min(end, pos + size - this.held));
    this.pos += taken;
    this.held += taken;
    if (this.held < size) return false;
    this.held = 0;
    this.window = this.scratch;
    this.windowAt = 0;
    return true;
  }

  /** Skips `size` bytes, which must be available; returns where they begin. */
  pass(size: number): number {
    const start = this.pos;
    this.pos = start + size;
    return start;
  }

  /** Skips up to `maxSize` bytes; returns their number. */
  skip(maxSize: number): number {
    const skipped = Math.min(maxSize, this.rest);
    this.pos += skipped;
    return skipped;
  }

  /** The next bytes, up to `maxSize`, as a slice of the chunk. */
  slice(maxSize: number): Buffer {
    const end = Math.min(this.pos + maxSize, this.end);
    const bytes = this.chunk.subarray(this.pos, end);
    this.pos = end;
    return bytes;
  }
}
