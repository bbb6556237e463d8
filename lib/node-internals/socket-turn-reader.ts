import { readSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { blockPool, markBlock, type Block } from '../media/block.js';
import type { TurnClock } from '../time/turn-scheduler.js';
import type { TrackSource } from '../merge/track-queue.js';
import type { TurnSchedule } from '../time/turn-schedule.js';
import { socketHandle, type SocketHandle } from './socket-handle.js';

/** Least room worth a read; with less left, the block is full. */
const LEAST_ROOM = 512;

/** So many reads of nothing in sequence, and a socket is read by Node again. */
const EMPTY_READS = 2;

/** How much more than the last read brought there is room for in a new block: reads differ, and what is left over is given back. */
const HEADROOM = 1.5;

/**
 * Bytes a turn of a socket that need not be read at every one, but at every second (audio is less): reading it costs as much as
 * reading one that brings megabytes. What two turns bring is little for a receive buffer of the kernel's, too.
 */
const LITTLE = 16 * 1024;

/** Bytes that are read of one socket before others get their turn: who sends faster than we read is never read empty. */
const MOST_AT_ONCE = 256 * 1024;

/** Whether connections of `server`, which listens, can be read in turns: their handles are of the same kind as its own. */
export function canReadInTurns(server: Server): boolean {
  return socketHandle(server) !== undefined;
}

/** Pauses a socket at once: what the kernel has from now on stays there, for another process to read. */
export function stopReading(socket: Socket): void {
  socket.pause();
  const handle = socketHandle(socket);
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

export interface TurnReaderOptions {
  /** Bytes of a block to read into (`kmp_rtmp_in_buffer_size`); twice as many where an interval brings more than that. */
  readonly blockSize: number;
  /** ms without a byte after which the socket emits `timeout`, as after `socket.setTimeout`. */
  readonly idleTimeout: number;
}

/**
 * A socket that is read in turns. One that brings little is left out every second time; for a merger that is about to write what
 * may come behind something there, it is read all the same.
 */
export interface TurnReader extends TrackSource {
  /** Once it is past its beginning, it keeps to the beat of its upstream. */
  settle(): void;
  /** Reads what the kernel has before something is done with the socket that it may not survive: a read left out or not. */
  readLast(): void;
  /**
   * Monotonic ms of the last read, the present one aside, that left nothing in the kernel: what is read now came later.
   */
  readonly emptyAt: number;
}

/**
 * One socket that is read in turns. One that brings nothing is left to Node's own reading, until something comes: a read of
 * nothing costs more than one of a hundred frames.
 */
class SocketTurnReader implements TurnReader {
  emptyAt = performance.now();
  unread = false;
  private block: Block | undefined;
  /** Bytes of the last read in all: the size of the next block follows it. */
  private lastRead = 0;
  private lastAt = performance.now();
  /** Whether the last read brought little for the time that it had been left. */
  private little = false;
  /** Reads in sequence that brought nothing. */
  private empty = 0;
  private reading = false;
  private over = false;
  private settled = false;
  private turns = 0;
  /** Ends its turns; undefined while it has none. */
  private stop: (() => void) | undefined;
  /** Set while the rest of a long read waits for its turn. */
  private rest: NodeJS.Immediate | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly handle: SocketHandle,
    private readonly beat: TurnClock,
    /** At how many turns of the beat it is read once. */
    private readonly every: number,
    private readonly options: TurnReaderOptions,
  ) {
    this.start();
    socket.once('close', () => this.end());
  }

  settle(): void {
    this.settled = true;
    if (this.stop === undefined) return;
    this.stop();
    this.join();
  }

  readNow(): void {
    // Before it is settled, and while Node reads it, nothing is left out.
    if (this.unread) this.read(performance.now());
    this.unread = false;
  }

  readLast(): void {
    // What is being read now goes on by itself; what Node reads has been, as soon as it came.
    if (this.stop !== undefined && !this.reading) this.read(performance.now());
  }

  private start(): void {
    this.handle.readStop();
    // It does not see these reads.
    this.socket.setTimeout(0);
    this.empty = 0;
    this.join();
  }

  private join(): void {
    const { beat, every } = this;
    this.stop = this.settled
      ? beat.every((now) => {
          if (++this.turns % every !== 0) return;
          if (this.little && every === 1 && !this.unread) this.unread = true;
          else this.read(now);
        })
      : beat.everyStep((now) => this.read(now));
  }

  /** Reads what the kernel has. */
  private read(now: number): void {
    this.reading = true;
    this.readKernel(now);
    this.reading = false;
  }

  private readKernel(now: number): void {
    const { socket, unread } = this;
    this.unread = false;
    // What the last read brought is still waiting in the stream: the kernel can hold more of it.
    if (this.over || socket.destroyed || socket.readableLength > 0) return;
    let total = 0;
    let drained = true;
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
      block.retain();
      drained = n < room;
      // Where nothing more is taken, the rest can wait in the kernel.
      if (!socket.push(markBlock(chunk, block)) || drained || socket.destroyed) break;
      if (total >= MOST_AT_ONCE) {
        this.rest ??= setImmediate(() => {
          this.rest = undefined;
          this.read(performance.now());
        });
        break;
      }
    }
    this.little = drained && total <= (unread ? 2 * LITTLE : LITTLE);
    if (drained) this.emptyAt = now;
    if (total > 0) {
      this.lastRead = total;
      this.lastAt = now;
      this.empty = 0;
    } else if (++this.empty === EMPTY_READS) {
      this.sleep(now);
    }
    this.tidy();
  }

  /** Node reads it, until something has come. */
  private sleep(now: number): void {
    const { socket, handle, options } = this;
    this.stop?.();
    this.stop = undefined;
    this.drop();
    socket.setTimeout(Math.max(1, options.idleTimeout - (now - this.lastAt)));
    // Ahead of who takes the bytes, so that they are known to have just come.
    socket.prependOnceListener('data', () => {
      if (this.over) return;
      this.emptyAt = this.lastAt = performance.now();
      this.start();
    });
    handle.readStart();
  }

  private end(): void {
    this.over = true;
    this.stop?.();
    this.stop = undefined;
    clearImmediate(this.rest);
    this.drop();
  }

  /** The end, or an error: Node reads it again, and does what belongs to it. */
  private handBack(): void {
    const { socket, handle, options } = this;
    this.end();
    socket.setTimeout(options.idleTimeout);
    handle.readStart();
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
    this.block?.release();
    this.block = undefined;
  }
}

/**
 * Reads `socket` at the turns of its upstream's beat instead of whenever a byte has come; the kernel gathers in between. A
 * frame that waits for its time anyway (`kmp_rtmp_out_min_process_delay`) loses nothing by it, and the read event, which is what
 * Node's cost is made of, is had once for several frames (docs/performance.md).
 *
 * Until it is settled, it is read at the turns of all beats. undefined if it cannot, or is not to, be read like this: then it
 * is read as always.
 */
export function readInTurns(
  socket: Socket,
  schedule: TurnSchedule,
  options: TurnReaderOptions,
): TurnReader | undefined {
  const { reading, every } = schedule;
  const handle = socketHandle(socket);
  if (reading === undefined || handle === undefined || socket.destroyed) return undefined;
  return new SocketTurnReader(socket, handle, reading, every, options);
}
