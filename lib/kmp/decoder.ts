import type { Clock } from '../time/clock.js';
import { systemClock } from '../time/clock.js';
import { blockOf, type Block } from '../media/block.js';
import { Frame } from '../media/frame.js';
import type { FrameRing } from '../media/frame-ring.js';
import { Transform } from '../base/streams.js';
import type { TransformCallback } from '../base/streams.js';
import { truncation } from './dump.js';
import type { KmpError } from './error.js';
import type { KmpPacket } from './packet.js';
import type { KmpParserOptions, UnfinishedPacket } from './parser.js';
import { KmpParser } from './parser.js';

/** The result of one read of a KMP connection. Each read leads to one batch, whether it completed packets or not. */
export interface PacketBatch {
  /** The packets that this read completed, in order; often none. */
  readonly packets: readonly KmpPacket[];
  /** Bytes of this read. */
  readonly bytes: number;
  /** Bytes now held of an incomplete packet. The payloads of `packets` are not counted. */
  readonly held: number;
  /** Monotonic ms of this read. */
  readonly at: number;
  /**
   * Monotonic ms of the previous read, or of the creation of the decoder: the bytes arrived between `since` and `at`.
   */
  readonly since: number;
  /** True if neither `packets` nor the held bytes refer to the memory of this read. */
  readonly released: boolean;
  /**
   * The block that was read into, with one hold for this batch; undefined if the garbage collector owns the memory.
   */
  readonly block: Block | undefined;
}

/** Options of {@link KmpDecoder}. */
export interface KmpDecoderOptions extends KmpParserOptions {
  /**
   * The input is a dump file, not a connection: the connect packet may be missing, and an end inside a packet is the
   * error kmp_truncated. Default false.
   */
  readonly dump?: boolean;
  /** Source of the times of the reads. Default: the system clock. */
  readonly clock?: Clock;
}

// A read is at most 64 KiB, four times that when sockets are read in intervals (lib/node-internals). With one byte of
// room more, its write() never returns false.
const WRITABLE_HIGH_WATER_MARK = 4 * 65536 + 1;

/**
 * The stage behind a KMP socket: a Transform from bytes to one {@link PacketBatch} per chunk. It sets the `arrivedAt`
 * of each frame to the time of the read. Where sockets are read in intervals, a better estimate is possible with
 * `since`.
 *
 * Input that is not KMP destroys the decoder with a {@link KmpError}, but only after the next stage has read the
 * packets before it, so that no good frame is lost. For a connection, input that ends within a packet is an ordinary
 * end, see {@link unfinished}; for a dump it is an error.
 */
export class KmpDecoder extends Transform {
  private readonly parser: KmpParser;
  private readonly clock: Clock;
  // With a value at the beginning, later times need no object of their own.
  private lastRead = NaN;
  private failure: KmpError | undefined;
  private readonly isDump: boolean;
  /**
   * True if nothing was in the stream when {@link isIdle} looked last, and nothing has entered it since. Each look
   * reads two objects of the stream that are not in the CPU's cache.
   */
  private quiet = false;

  constructor(options: KmpDecoderOptions = {}) {
    // One batch of look-ahead, because what waits here is not in the memory account.
    super({ readableObjectMode: true, readableHighWaterMark: 1, writableHighWaterMark: WRITABLE_HIGH_WATER_MARK });
    this.isDump = options.dump ?? false;
    this.parser = new KmpParser({ ...options, connectRequired: options.connectRequired ?? !this.isDump });
    this.clock = options.clock ?? systemClock;
    this.lastRead = this.clock.now();
  }

  /** All bytes of the connection so far. */
  get bytesReceived(): number {
    return this.parser.bytesReceived;
  }

  /** The incomplete packet, if there is one. */
  get unfinished(): UnfinishedPacket | undefined {
    return this.parser.unfinished;
  }

  /**
   * Decodes a read at once, for a caller that writes the batch to the next stage itself: the queues of the streams cost
   * more than the decoding. Returns undefined if something waits in the stream, because nothing may overtake it.
   * Invalid input destroys the decoder, as it does in the stream, after the caller has passed the batch on.
   *
   * @param block was read into, bytes `start` to `end` of its memory; its hold is that of the batch
   */
  decodeNow(block: Block, start: number, end: number): PacketBatch | undefined {
    if (!this.isIdle) return undefined;
    const batch = this.decode(block.memory, start, end, block);
    const { error } = this.parser;
    if (error !== undefined) {
      this.failure = error;
      process.nextTick(() => this.destroy(error));
    }
    return batch;
  }

  /**
   * Adds the whole frames at the beginning of a read to `ring`, and nothing else: then {@link passFrames} must follow,
   * or the read is decoded in another way. Returns where they end: at `start` if something waits in the stream, or if
   * something else comes first.
   *
   * @internal
   */
  peekFrames(bytes: DataView, start: number, end: number, ring: FrameRing): number {
    return this.isIdle ? this.parser.peekFrames(bytes, start, end, ring) : start;
  }

  /**
   * The owner has taken the frames of {@link peekFrames}.
   *
   * @internal
   * @param bytes of their packets
   * @param at monotonic ms of the read
   */
  passFrames(bytes: number, at: number): void {
    this.parser.pass(bytes);
    this.lastRead = at;
  }

  private get isIdle(): boolean {
    if (this.parser.error !== undefined) return false;
    this.quiet ||= this.writableLength + this.readableLength === 0 && !this.writableEnded && !this.destroyed;
    return this.quiet;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.quiet = false;
    // Bytes behind invalid ones have no meaning. They may come before the decoder is destroyed.
    if (this.parser.error !== undefined) {
      blockOf(chunk)?.release();
      callback();
      return;
    }
    this.push(this.decode(chunk, 0, chunk.length, blockOf(chunk)));
    const { error } = this.parser;
    if (error === undefined) {
      callback();
    } else if (this.readableLength === 0) {
      callback(error);
    } else {
      // destroy() would discard the unread batches: read() destroys the decoder when they are read. The callback is
      // never called, so no more input is accepted.
      this.failure = error;
    }
  }

  private decode(chunk: Buffer, start: number, end: number, block: Block | undefined): PacketBatch {
    const packets = this.parser.feed(chunk, start, end);
    const at = this.clock.now();
    const arrivedAt = Math.floor(at);
    for (let i = 0; i < packets.length; i++) {
      const packet = packets[i];
      if (packet instanceof Frame) packet.arrivedAt = arrivedAt;
    }
    const since = this.lastRead;
    this.lastRead = at;
    const { heldBytes: held, released } = this.parser;
    return { packets, bytes: end - start, held, at, since, released, block };
  }

  override _flush(callback: TransformCallback): void {
    this.quiet = false;
    const error = this.isDump ? truncation(this.parser) : undefined;
    // As in _transform: what precedes the damage is read first.
    if (error === undefined || this.readableLength === 0) callback(error);
    else this.failure = error;
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.quiet = false;
    callback(error);
  }

  override read(size?: number): unknown {
    const batch: unknown = super.read(size);
    const { failure } = this;
    if (failure !== undefined && this.readableLength === 0) process.nextTick(() => this.destroy(failure));
    return batch;
  }
}
