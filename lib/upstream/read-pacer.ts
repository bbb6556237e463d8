import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { blockPool, markBlock, type Block } from '../media/block.js';

/** How many groups the sockets are read in, so that they do not all come at once. */
const SLOTS = 8;

/** Least room worth a read; with less left, the block is full. */
const LEAST_ROOM = 512;

/** Bytes that are read of one socket before others get their turn: who sends faster than we read is never read empty. */
const MOST_AT_ONCE = 256 * 1024;

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
function readHandle(socket: Socket): ReadHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  const has = (name: string): boolean => typeof Reflect.get(handle, name) === 'function';
  if (typeof fd !== 'number' || fd < 0 || !has('readStart') || !has('readStop')) return undefined;
  return handle as ReadHandle;
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
  /** Set while the rest of a long read waits for its turn. */
  private rest: NodeJS.Immediate | undefined;
  /** Where the present block is full. */
  private end = 0;

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
      const room = this.end - block.used;
      let n: number;
      try {
        n = readSync(this.handle.fd, block.buffer, block.used, room, null);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') break;
        return this.handBack();
      }
      if (n === 0) return this.handBack();
      total += n;
      const chunk = block.buffer.subarray(block.used, block.used + n);
      block.used += n;
      block.hold();
      // Where nothing more is taken, the rest can wait in the kernel.
      if (!socket.push(markBlock(chunk, block)) || n < room || socket.destroyed) break;
      if (total >= MOST_AT_ONCE) {
        this.rest ??= setImmediate(() => {
          this.rest = undefined;
          this.read(performance.now());
        });
        break;
      }
    }
    if (total > 0) {
      this.lastRead = total;
      this.lastAt = now;
    } else if (now - this.lastAt > options.idleTimeout) {
      options.onIdle();
    }
    // A sender that pauses for long keeps no more than it needs.
    if (total === 0 && this.block?.used === 0) this.drop();
  }

  close(): void {
    this.handedBack = true;
    clearImmediate(this.rest);
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
    if (block !== undefined && this.end - block.used >= Math.max(LEAST_ROOM, lastRead / 2)) return block;
    this.drop();
    // What comes in one interval fits in one block, twice the size that was asked for at most.
    const most = lastRead > options.blockSize ? options.blockSize * 2 : options.blockSize;
    const fresh = blockPool.take(Math.min(most, lastRead * 2));
    this.end = Math.min(fresh.buffer.length, most);
    this.block = fresh;
    return fresh;
  }

  private drop(): void {
    this.block?.letGo();
    this.block = undefined;
  }
}

/**
 * Reads sockets once every interval instead of whenever a byte has come; the kernel gathers in between. A frame that waits
 * for its time anyway (`kmp_rtmp_out_min_process_delay`) loses nothing by it, and the read event, which is what Node's
 * cost is made of, is had once for several frames (docs/performance.md).
 */
export class ReadPacer {
  private readonly slots: Set<PacedSocket>[] = Array.from({ length: SLOTS }, () => new Set());
  /** Those that are read at every turn. */
  private readonly eager = new Set<PacedSocket>();
  private timer: NodeJS.Timeout | undefined;
  private turn = 0;
  private count = 0;

  /** @param interval ms between two reads of a socket */
  constructor(readonly interval: number) {}

  /** From now on `socket` is read at this pace, until it is closed. False if it cannot be: it is read as always. */
  add(socket: Socket, options: PacedOptions): boolean {
    return this.addEager(socket, options)?.() ?? false;
  }

  /**
   * The same, but for the beginning: until what is returned is called, `socket` is read {@link SLOTS} times as often. undefined
   * if it cannot be.
   */
  addEager(socket: Socket, options: PacedOptions): (() => true) | undefined {
    const handle = readHandle(socket);
    if (handle === undefined || socket.destroyed) return undefined;
    const slot = this.slots.reduce((least, one) => (one.size < least.size ? one : least));
    const paced = new PacedSocket(socket, handle, options);
    socket.setTimeout(0);
    this.eager.add(paced);
    this.count++;
    socket.once('close', () => {
      paced.close();
      this.eager.delete(paced);
      slot.delete(paced);
      this.count--;
      if (this.count === 0) {
        clearTimeout(this.timer);
        this.timer = undefined;
      }
    });
    if (this.timer === undefined) this.schedule();
    return () => {
      if (this.eager.delete(paced)) slot.add(paced);
      return true;
    };
  }

  /** On round times: other things that wait by the same measure then go off in the same turn of the event loop. */
  private schedule(): void {
    const step = this.interval / SLOTS;
    const now = performance.now();
    const next = (Math.floor(now / step) + 1) * step;
    this.timer = setTimeout(() => this.tick(), Math.max(1, Math.ceil(next - now)));
  }

  private tick(): void {
    this.schedule();
    this.turn = (this.turn + 1) % SLOTS;
    const now = performance.now();
    for (const paced of this.eager) paced.read(now);
    for (const paced of this.slots[this.turn] ?? []) paced.read(now);
  }
}

const pacers = new Map<number, ReadPacer>();

/** The pacer of an interval, shared by all sockets of this process that have it. */
export function readPacer(interval: number): ReadPacer {
  let pacer = pacers.get(interval);
  if (pacer === undefined) {
    pacer = new ReadPacer(interval);
    pacers.set(interval, pacer);
  }
  return pacer;
}
