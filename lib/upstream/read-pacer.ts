import { readSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { blockPool, markBlock, type Block } from '../media/block.js';
import type { Pace } from './pace.js';

/** Least room worth a read; with less left, the block is full. */
const LEAST_ROOM = 512;

/** How much more than the last read brought there is room for in a new block: reads differ, and what is left over is given back. */
const HEADROOM = 1.5;

interface ReadHandle {
  readonly fd: number;
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/**
 * Node's handle of a socket, if it shows its descriptor and can be told to stop and start reading. None of this is
 * documented, so it is asked of each socket; where it is missing, sockets are read as always.
 */
function readHandle(socket: Socket | Server): ReadHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  const has = (name: string): boolean => typeof Reflect.get(handle, name) === 'function';
  if (typeof fd !== 'number' || fd < 0 || !has('readStart') || !has('readStop')) return undefined;
  return handle as ReadHandle;
}

/** Whether connections of `server`, which listens, can be read in turns: their handles are of the same kind as its own. */
export function canReadInTurns(server: Server): boolean {
  return readHandle(server) !== undefined;
}

/** Pauses a socket at once: what the kernel has from now on stays there, for another process to read. */
export function stopReading(socket: Socket): void {
  socket.pause();
  const handle = readHandle(socket);
  if (handle === undefined) return;
  handle.readStop();
  // Node looks at this to know whether it has to start again, when somebody wants to read.
  handle.reading = false;
}

/**
 * The same for a socket that is given away, and may have to wait for that: a Readable asks for more by itself, in the turn
 * after a read, and what came in then would never be seen by anyone.
 */
export function stopReadingForGood(socket: Socket): void {
  stopReading(socket);
  Reflect.set(socket, '_read', () => {});
}

export interface PacedOptions {
  /** Bytes of a block to read into (`kmp_rtmp_in_buffer_size`); twice as many where an interval brings more than that. */
  readonly blockSize: number;
  /** ms without a byte after which `onIdle` is called; the socket's own timeout does not see these reads. */
  readonly idleTimeout: number;
  readonly onIdle: () => void;
}

/** One socket that is read in intervals. */
class PacedSocket {
  private block: Block | undefined;
  /** Bytes of the last read in all: the size of the next block follows it. */
  private lastRead = 0;
  private lastAt = performance.now();
  private handedBack = false;

  constructor(
    private readonly socket: Socket,
    private readonly handle: ReadHandle,
    private readonly options: PacedOptions,
  ) {
    handle.readStop();
  }

  /** Reads what the kernel has. */
  read(now: number): void {
    const { socket, options } = this;
    // What the last read brought is still waiting in the stream: the kernel can hold more of it.
    if (this.handedBack || socket.destroyed || socket.readableLength > 0) return;
    let total = 0;
    for (;;) {
      const block = this.room();
      const room = block.buffer.length - block.used;
      let n: number;
      try {
        n = readSync(this.handle.fd, block.buffer, block.used, room, null);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') break;
        return this.handBack();
      }
      if (n === 0) return this.handBack();
      total += n;
      if (total > this.lastRead) this.lastRead = total;
      const chunk = block.buffer.subarray(block.used, block.used + n);
      block.used += n;
      block.hold();
      // Where nothing more is taken, the rest can wait in the kernel.
      if (!socket.push(markBlock(chunk, block)) || n < room || socket.destroyed) break;
    }
    if (total > 0) {
      this.lastRead = total;
      this.lastAt = now;
    } else if (now - this.lastAt > options.idleTimeout) {
      options.onIdle();
    }
    this.tidy();
  }

  close(): void {
    this.handedBack = true;
    this.drop();
  }

  /** The end, or an error: Node reads it again, and does what belongs to it. */
  private handBack(): void {
    this.handedBack = true;
    this.drop();
    this.handle.readStart();
  }

  /** A block with room for a read: rather a new one than a read in two pieces, each of which is a turn of the whole line. */
  private room(): Block {
    const { block, options, lastRead } = this;
    if (block !== undefined && this.hasRoom(block)) return block;
    this.drop();
    // What comes in one interval fits in one block, twice the size that was asked for at most.
    const most = lastRead > options.blockSize ? options.blockSize * 2 : options.blockSize;
    const fresh = blockPool.take(Math.min(most, lastRead * HEADROOM));
    this.block = fresh;
    return fresh;
  }

  /** Holds no more than will do for the next read: what is left over of a page. */
  private tidy(): void {
    const { block } = this;
    if (block === undefined) return;
    block.shorten();
    if (block.used === 0 || !this.hasRoom(block)) this.drop();
  }

  private hasRoom(block: Block): boolean {
    return block.buffer.length - block.used >= Math.max(LEAST_ROOM, this.lastRead);
  }

  private drop(): void {
    this.block?.letGo();
    this.block = undefined;
  }
}

/**
 * Reads `socket` at the turns of its upstream's beat instead of whenever a byte has come; the kernel gathers in between. A
 * frame that waits for its time anyway (`kmp_rtmp_out_min_process_delay`) loses nothing by it, and the read event, which is what
 * Node's cost is made of, is had once for several frames (docs/performance.md).
 *
 * At first it is read at the turns of all beats; it keeps to its own from when what is returned is called. undefined if it
 * cannot, or is not to, be read like this: then it is read as always.
 */
export function readInTurns(socket: Socket, pace: Pace, options: PacedOptions): (() => true) | undefined {
  const { reading, every } = pace;
  const handle = readHandle(socket);
  if (reading === undefined || handle === undefined || socket.destroyed) return undefined;
  const paced = new PacedSocket(socket, handle, options);
  socket.setTimeout(0);
  let stop = reading.everyStep((now) => paced.read(now));
  socket.once('close', () => {
    paced.close();
    stop();
  });
  return () => {
    if (socket.destroyed) return true;
    stop();
    let turns = 0;
    stop = reading.every((now) => {
      if (++turns % every === 0) paced.read(now);
    });
    return true;
  };
}
