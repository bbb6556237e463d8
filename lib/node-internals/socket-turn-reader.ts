import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { blockPool, markBlock, type Block } from '../media/block.js';
import type { TurnClock } from '../time/turn-clock.js';
import type { TurnSchedule } from '../time/turn-schedule.js';
import { inUse } from './internals.js';
import { socketHandle, type SocketHandle } from './socket-handle.js';

/** Bytes. A block with less room counts as full, because such a short read would cost more than it brings. */
const LEAST_ROOM = 512;

/** After this many empty reads in sequence, Node reads the socket. */
const EMPTY_READS = 2;

/** The room of a new block as a multiple of the last read, since reads differ in size. Unused room is given back. */
const HEADROOM = 1.5;

/**
 * Bytes. A socket that brings at most this much per turn (audio, for example) is read only at every second turn,
 * because a small read costs as much as a read of megabytes. The bytes of two turns still fit easily into the kernel's
 * receive buffer.
 */
const LITTLE = 16 * 1024;

/**
 * The most bytes read from one socket before other sockets get their turn, because a fast sender might always have
 * more. A socket whose last read brought more than `usual` may bring as much again at once, up to `steady`: each
 * further piece has the cost of a turn of the event loop.
 */
const MOST_AT_ONCE = { usual: 256 * 1024, steady: 1024 * 1024 } as const;

/**
 * A block has room for all that a turn brings, up to so many times the configured size: a frame that is in two blocks
 * takes the long way through the parser.
 */
const LARGEST_BLOCK = 4;

export interface TurnReaderOptions {
  /** Bytes of a block to read into (`kmp_rtmp_in_buffer_size`); up to four times as many if a turn brings more. */
  readonly blockSize: number;
  /** ms without a byte after which the socket emits `timeout`, as after `socket.setTimeout`. */
  readonly idleTimeout: number;
  /**
   * Takes what was read, bytes `start` to `end` of `block.memory`, without the stream of the socket. It has a hold on
   * the block, and releases it. Returns false if it cannot, because earlier bytes wait there: then the stream gets the
   * bytes. Default: the stream gets all bytes.
   */
  readonly takeNow?: (block: Block, start: number, end: number) => boolean;
  /**
   * Whether the process may take more memory from the system. While it may not, and blocks need more, bytes wait in
   * the kernel. Default: it may.
   */
  readonly mayGrow?: () => boolean;
}

/**
 * Reads a socket in turns. Some turns skip a socket that brings little. Before its merger writes a frame that might
 * follow one that is still unread, the merger has the socket read (`TrackSource` of lib/merge).
 */
export interface TurnReader {
  /** True if a turn has skipped the socket: bytes may have arrived that are not read yet. */
  readonly unread: boolean;
  /** Reads them now. `unread` is false afterwards. */
  readNow(): void;
  /**
   * True while a read is incomplete: it goes on in pieces, or the stream takes nothing more for the moment. Its frames
   * are not all queued yet.
   */
  readonly incomplete: boolean;
  /** Called once, when the read is complete or the reader has ended. */
  onComplete: (() => void) | undefined;
  /** From now on, the socket is read at the turns of its upstream, no longer at those of all phases. */
  settle(): void;
  /** Reads what the kernel has, even if this turn has read already. Call it before a write that may end the socket. */
  readLast(): void;
  /**
   * Monotonic ms of the last read, before the present one, that left nothing in the kernel. The bytes of the present
   * read arrived after that time.
   */
  readonly emptyAt: number;
}

/**
 * While a socket brings nothing, Node itself reads it, until something arrives. An empty read ends in an exception,
 * which costs more than a read of a hundred frames.
 */
class SocketTurnReader implements TurnReader {
  // A field without a value at the beginning would get a new object for each later time in it.
  emptyAt = NaN;
  unread = false;
  incomplete = false;
  onComplete: (() => void) | undefined;
  private block: Block | undefined;
  /** Bytes of the largest of the last reads. The next block has room for as many. */
  private lastRead = 0;
  /** Bytes that earlier pieces of the present read have brought. */
  private earlier = 0;
  private lastAt = NaN;
  /** Whether the last read brought little, relative to the number of turns since the read before. */
  private little = false;
  /** Empty reads in sequence. */
  private empty = 0;
  private reading = false;
  /** True during a read that cannot be done later. */
  private isLast = false;
  private ended = false;
  private settled = false;
  private turns = 0;
  /** Ends the turns; undefined while Node reads the socket. */
  private stop: (() => void) | undefined;
  /** Set while the rest of a long read waits for the next turn of the event loop. */
  private rest: NodeJS.Immediate | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly handle: SocketHandle,
    private readonly clock: TurnClock,
    private readonly turnsPerRead: number,
    private readonly options: TurnReaderOptions,
  ) {
    this.emptyAt = this.lastAt = clock.now();
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
    // No turn skips the socket before it is settled, or while Node reads it.
    if (this.unread) this.read(this.clock.now());
    this.unread = false;
  }

  readLast(): void {
    // A read in progress continues by itself, and Node reads bytes as soon as they arrive.
    if (this.stop === undefined || this.reading) return;
    this.isLast = true;
    this.read(this.clock.now());
    this.isLast = false;
  }

  private start(): void {
    this.handle.readStop();
    // Node's own timeout does not notice these reads.
    this.socket.setTimeout(0);
    this.empty = 0;
    this.join();
  }

  private join(): void {
    const { clock, turnsPerRead } = this;
    this.stop = this.settled
      ? clock.onTurn((now) => {
          if (++this.turns % turnsPerRead !== 0) return;
          if (this.little && turnsPerRead === 1 && !this.unread) this.unread = true;
          else this.readInTurn(now);
        })
      : clock.onEveryPhase((now) => this.readInTurn(now));
  }

  /** The rest of a long read comes at once, by itself: with a turn in addition, it would be twice as long. */
  private readInTurn(now: number): void {
    if (this.rest === undefined) this.read(now);
  }

  /** Reads what the kernel has. */
  private read(now: number): void {
    this.reading = true;
    this.readKernel(now);
    this.reading = false;
    if (!this.incomplete) this.complete();
  }

  private complete(): void {
    const { onComplete } = this;
    this.incomplete = false;
    this.onComplete = undefined;
    onComplete?.();
  }

  private readKernel(now: number): void {
    const { socket, unread } = this;
    this.unread = false;
    if (this.ended || socket.destroyed) return;
    // The last read's bytes still wait in the stream: the rest can wait in the kernel.
    this.incomplete = socket.readableLength > 0;
    if (this.incomplete) return;
    const { usual, steady } = MOST_AT_ONCE;
    const most = this.earlier + Math.min(steady, Math.max(usual, this.lastRead * HEADROOM));
    let total = this.earlier;
    this.earlier = 0;
    let drained = true;
    for (;;) {
      const block = this.room();
      if (block === undefined) {
        this.incomplete = true;
        drained = false;
        break;
      }
      const { memory, end: start, room } = block;
      let n: number;
      try {
        n = readSync(this.handle.fd, memory, start, room, null);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') {
          this.incomplete = socket.readableLength > 0;
          break;
        }
        return this.handBack();
      }
      if (n === 0) return this.handBack();
      total += n;
      if (total > this.lastRead) this.lastRead = total;
      block.used += n;
      block.retain();
      drained = n < room;
      this.incomplete = !drained;
      const taken = this.takeNow(block, start) || socket.push(this.chunkOf(block, start));
      this.incomplete ||= socket.readableLength > 0;
      // The stream takes no more, so the rest can wait in the kernel.
      if (!taken || drained || socket.destroyed) break;
      if (total >= most) {
        this.earlier = total;
        this.rest ??= setImmediate(() => {
          this.rest = undefined;
          this.read(this.clock.now());
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
    } else if (drained && ++this.empty === EMPTY_READS) {
      this.sleep(now);
    }
    this.tidy();
  }

  private takeNow(block: Block, start: number): boolean {
    const { socket, options } = this;
    if (options.takeNow === undefined || socket.readableFlowing !== true || socket.readableLength > 0) return false;
    return options.takeNow(block, start, block.end);
  }

  private chunkOf(block: Block, start: number): Buffer {
    return markBlock(block.memory.subarray(start, block.end), block);
  }

  /** Lets Node read the socket, until something arrives. */
  private sleep(now: number): void {
    const { socket, handle, options } = this;
    this.stop?.();
    this.stop = undefined;
    this.drop();
    socket.setTimeout(Math.max(1, options.idleTimeout - (now - this.lastAt)));
    // Added before other listeners, so that those know when the bytes arrived.
    socket.prependOnceListener('data', () => {
      if (this.ended) return;
      this.emptyAt = this.lastAt = this.clock.now();
      this.start();
    });
    handle.readStart();
  }

  private end(): void {
    this.ended = true;
    this.stop?.();
    this.stop = undefined;
    clearImmediate(this.rest);
    this.drop();
    this.complete();
  }

  /** The end of the data, or an error. Node reads it again and handles it. */
  private handBack(): void {
    const { socket, handle, options } = this;
    this.end();
    socket.setTimeout(options.idleTimeout);
    handle.readStart();
  }

  /**
   * A block with room for a whole read. A read in two pieces would run the decoder and all later stages twice.
   * Undefined: there is no memory for it at the moment.
   */
  private room(): Block | undefined {
    const { block, options, lastRead } = this;
    if (block !== undefined && this.hasRoom(block)) return block;
    this.drop();
    const { blockSize } = options;
    const most = lastRead > blockSize ? blockSize * LARGEST_BLOCK : blockSize;
    const wanted = Math.min(most, lastRead * HEADROOM);
    this.block = blockPool.takeFree(wanted) ?? (this.mayGrow ? blockPool.take(wanted) : this.smaller(wanted));
    return this.block;
  }

  /** Without further memory from the system, there may still be room for a smaller block. */
  private smaller(wanted: number): Block | undefined {
    const { blockSize } = this.options;
    return wanted > blockSize ? blockPool.takeFree(blockSize) : undefined;
  }

  private get mayGrow(): boolean {
    return this.isLast || this.options.mayGrow === undefined || this.options.mayGrow();
  }

  /** Keeps only the rest of the block's last page, if that is enough for the next read. */
  private tidy(): void {
    const { block } = this;
    if (block === undefined) return;
    block.shorten();
    if (block.used === 0 || !this.hasRoom(block)) this.drop();
  }

  private hasRoom(block: Block): boolean {
    return block.room >= Math.max(LEAST_ROOM, this.lastRead);
  }

  private drop(): void {
    this.block?.release();
    this.block = undefined;
  }
}

/**
 * Reads `socket` at the turns of its upstream instead of whenever a byte arrives. Between the turns, the kernel
 * collects the bytes. This does not delay frames that wait for their time anyway (`kmp_rtmp_out_min_process_delay`),
 * and several frames share the cost of one read (docs/performance.md).
 *
 * Until it is settled, the socket is read at the turns of all phases. Returns undefined if the schedule has no turns to
 * read in, or if this internal is not in use; then Node reads the socket.
 */
export function readInTurns(
  socket: Socket,
  schedule: TurnSchedule,
  options: TurnReaderOptions,
): TurnReader | undefined {
  const { reading, turnsPerRead } = schedule;
  const handle = inUse('turn reads') ? socketHandle(socket) : undefined;
  if (reading === undefined || handle === undefined || socket.destroyed) return undefined;
  return new SocketTurnReader(socket, handle, reading, turnsPerRead, options);
}
