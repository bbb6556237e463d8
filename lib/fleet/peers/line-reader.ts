const LINE_END = 0x0a;
/** Capacity of the first buffer, bytes. */
const FIRST = 4096;

/**
 * Cuts bytes into lines. The beginning of a line that has not ended is copied: a piece of one byte would otherwise keep
 * all the memory that it was received in.
 */
export class LineReader {
  private rest = Buffer.allocUnsafe(0);
  private used = 0;

  /** Bytes of the line that has not ended. */
  get pending(): number {
    return this.used;
  }

  /** Yields the lines that end in `chunk`, without their ends. A line is only valid until the next one is taken. */
  *take(chunk: Buffer): Generator<Buffer> {
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
      const part = chunk.subarray(from, end);
      from = end + 1;
      if (this.used === 0) {
        yield part;
        continue;
      }
      this.keep(part);
      const line = this.rest.subarray(0, this.used);
      this.used = 0;
      yield line;
    }
    this.keep(chunk.subarray(from));
  }

  private keep(part: Buffer): void {
    const needed = this.used + part.length;
    if (needed > this.rest.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST, needed, 2 * this.rest.length));
      this.rest.copy(larger, 0, 0, this.used);
      this.rest = larger;
    }
    part.copy(this.rest, this.used);
    this.used = needed;
  }
}
