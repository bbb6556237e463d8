import type { FileHandle } from 'node:fs/promises';

/** Bytes of one read from the disk. */
const BLOCK = 256 * 1024;
/** Smaller pieces are copied out of their block, so that a kept audio frame does not keep 256 KB in memory. */
const COPY_BELOW = 16 * 1024;

/** Reads a file sequentially in blocks. Several readers may share a handle: each has its own position. */
export class FileReader {
  private block: Buffer = Buffer.alloc(0);
  private blockAt = 0;

  /**
   * @param position offset of the first byte to read
   * @param blockSize bytes of one read from the disk
   */
  constructor(
    private readonly handle: FileHandle,
    public position = 0,
    private readonly blockSize = BLOCK,
  ) {}

  /** The next `size` bytes; fewer at the end of the file. */
  async read(size: number): Promise<Buffer> {
    const ahead = await this.peek(size);
    this.position += ahead.length;
    return size < COPY_BELOW ? Buffer.from(ahead) : ahead;
  }

  private async peek(size: number): Promise<Buffer> {
    const from = this.position - this.blockAt;
    if (from >= 0 && from + size <= this.block.length) return this.block.subarray(from, from + size);
    const block = Buffer.allocUnsafe(Math.max(size, this.blockSize));
    let length = 0;
    while (length < size) {
      const { bytesRead } = await this.handle.read(block, length, block.length - length, this.position + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    this.block = block.subarray(0, length);
    this.blockAt = this.position;
    return this.block.subarray(0, Math.min(size, length));
  }

  skip(size: number): void {
    this.position += size;
  }
}
