import type { Socket } from 'node:net';
import { blockPool, type Block } from '../media/block.js';
import { copyBytes } from './buffer-copy.js';
import { inUse } from './internals.js';
import { readIntoSharedBuffer } from './shared-buffer.js';
import type { TurnReaderOptions } from './socket-turn-reader.js';

/**
 * Bytes. Several small reads, of audio for example, share a block of this size. A larger read has its own pages, and
 * the rest of the last one is for small reads that follow.
 */
const SMALL = { read: 4096, block: 16_384 } as const;

/**
 * Passes what Node reads from a socket to the next stages at once, past the stream of the socket, whose queue costs
 * more than the work on a frame. The stream gets what the next stages cannot take now, and what comes while it holds
 * earlier bytes.
 */
class SocketEventReader {
  /** The block that the last read was copied to. */
  private block: Block | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly takeNow: NonNullable<TurnReaderOptions['takeNow']>,
    private readonly mayGrow: () => boolean,
  ) {
    socket.once('close', () => this.drop());
  }

  /** Takes the first `size` bytes of `bytes`, of which it makes a copy. Returns false if it cannot. */
  takes(bytes: Buffer, size: number): boolean {
    const { socket } = this;
    if (socket.readableFlowing !== true || socket.readableLength > 0 || size === 0) return false;
    const block = this.room(size);
    if (block === undefined) return false;
    const start = block.end;
    copyBytes(bytes, 0, size, block.memory, start);
    block.used += size;
    block.retain();
    if (this.takeNow(block, start, block.end)) return true;
    block.used -= size;
    block.release();
    return false;
  }

  /** A block with room for `size` bytes; undefined: there is no memory for it at the moment. */
  private room(size: number): Block | undefined {
    if (this.block !== undefined && this.block.room >= size) return this.block;
    this.drop();
    const wanted = size <= SMALL.read ? SMALL.block : size;
    this.block = blockPool.takeFree(wanted) ?? (this.mayGrow() ? blockPool.take(wanted) : undefined);
    return this.block;
  }

  private drop(): void {
    this.block?.release();
    this.block = undefined;
  }
}

/**
 * For a socket that is not read in turns: what Node reads from now on goes to `takeNow` as soon as it arrives. Without
 * effect if there is no `takeNow`.
 */
export function readAtOnce(socket: Socket, options: Pick<TurnReaderOptions, 'takeNow' | 'mayGrow'>): void {
  const { takeNow, mayGrow = () => true } = options;
  if (takeNow === undefined || socket.destroyed) return;
  const reader = new SocketEventReader(socket, takeNow, mayGrow);
  const push = socket.push.bind(socket);
  const isShared =
    inUse('shared reads') &&
    // The next read overwrites the shared buffer, so the stream gets a copy.
    readIntoSharedBuffer(socket, (bytes, n) => reader.takes(bytes, n) || push(Buffer.from(bytes.subarray(0, n))));
  // Node passes what it has read to `push`, and the end as null.
  if (!isShared)
    socket.push = (chunk: unknown) => (chunk instanceof Buffer && reader.takes(chunk, chunk.length)) || push(chunk);
}
