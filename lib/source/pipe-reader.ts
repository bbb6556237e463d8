import type { Readable } from '../base/streams.js';

/** Smaller pieces are copied out of their chunk, so that a waiting audio frame does not keep 64 KB in memory. */
const COPY_BELOW = 16 * 1024;

/** Reads a stream of bytes in order, by pieces of the wanted size. */
export class PipeReader {
  /** Offset of the next byte. */
  position = 0;
  private rest: Buffer = Buffer.alloc(0);
  private readonly chunks: AsyncIterator<Buffer>;

  constructor(private readonly stream: Readable) {
    this.chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** The next `size` bytes, which stay unread; fewer at the end. */
  async peek(size: number): Promise<Buffer> {
    const parts = [this.rest];
    let length = this.rest.length;
    while (length < size) {
      const chunk = await this.chunk();
      if (chunk === undefined) break;
      parts.push(chunk);
      length += chunk.length;
    }
    if (parts.length > 1) this.rest = Buffer.concat(parts, length);
    return this.rest.subarray(0, size);
  }

  /** The next `size` bytes; fewer at the end. */
  async read(size: number): Promise<Buffer> {
    const bytes = await this.peek(size);
    this.position += bytes.length;
    this.rest = this.rest.subarray(bytes.length);
    return bytes.length < COPY_BELOW ? Buffer.from(bytes) : bytes;
  }

  /** What follows, in pieces of any size; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    const { rest } = this;
    this.rest = Buffer.alloc(0);
    const chunk = rest.length > 0 ? rest : await this.chunk();
    this.position += chunk?.length ?? 0;
    return chunk;
  }

  /** Reads no more. */
  close(): void {
    this.stream.destroy();
  }

  /** A stream that was closed, here or by its writer, has ended. */
  private async chunk(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.chunks.next();
      return done === true ? undefined : value;
    } catch (error) {
      if (this.stream.destroyed) return undefined;
      throw error;
    }
  }
}
