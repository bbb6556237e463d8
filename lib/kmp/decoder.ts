import type { Clock } from '../time/clock.js';
import { systemClock } from '../time/clock.js';
import { blockOf, type Block } from '../media/block.js';
import { Frame } from '../media/frame.js';
import { Transform } from '../base/streams.js';
import type { TransformCallback } from '../base/streams.js';
import { truncation } from './dump.js';
import type { KmpError } from './error.js';
import type { KmpPacket } from './packet.js';
import type { KmpParserOptions, UnfinishedPacket } from './parser.js';
import { KmpParser } from './parser.js';

/** What one read of a KMP connection brought: one of these goes through the line a read, whether it held packets or not. */
export interface PacketBatch {
  /** The packets that this read completed, in order; often none. */
  readonly packets: readonly KmpPacket[];
  /** Bytes of this read. */
  readonly bytes: number;
  /** Bytes now held of a packet that is not complete. The payloads of `packets` are not among them. */
  readonly held: number;
  /** Monotonic ms of this read. */
  readonly at: number;
  /** Monotonic ms of the read before it, or of the decoder's making: the bytes arrived between `since` and `at`. */
  readonly since: number;
  /** True if nothing in `packets`, or held, lies in the memory of this read. */
  readonly released: boolean;
  /** The block that the read lies in, with a hold for this batch; undefined if the memory is the garbage collector's. */
  readonly block: Block | undefined;
}

/** Options of {@link KmpDecoder}. */
export interface KmpDecoderOptions extends KmpParserOptions {
  /**
   * The input is a dump file, not a connection: the connect packet may be missing, and an end inside a packet is the error
   * KMP_TRUNCATED. Default false.
   */
  readonly dump?: boolean;
  /** Gives the times of the reads. Default: the machine's. */
  readonly clock?: Clock;
}

// A read is at most 64 KiB, twice that in intervals (upstream/read-pacer.ts): with one byte of room left, its write() is
// never answered with false.
const WRITABLE_HIGH_WATER_MARK = 2 * 65536 + 1;

/**
 * The stage behind a KMP socket: bytes in, one {@link PacketBatch} out for each chunk written. Each frame's `arrivedAt` is
 * set to the time of the read; who reads in intervals may know better, from `since`.
 *
 * Input that is not KMP destroys it with a {@link KmpError}, after what came before has been read by the next stage, so
 * that no good frame is lost to a bad packet behind it. Input that ends inside a packet is an ordinary end of a connection,
 * see {@link unfinished}; of a dump it is an error.
 */
export class KmpDecoder extends Transform {
  private readonly parser: KmpParser;
  private readonly clock: Clock;
  private lastRead: number;
  private failure: KmpError | undefined;
  private readonly isDump: boolean;

  constructor(options: KmpDecoderOptions = {}) {
    // One batch of look-ahead: what waits here is in no one's ledger.
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

  /** The packet that has begun and not ended, if there is one. */
  get unfinished(): UnfinishedPacket | undefined {
    return this.parser.unfinished;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const packets = this.parser.feed(chunk);
    const at = this.clock.now();
    const block = blockOf(chunk);
    const arrivedAt = Math.floor(at);
    for (const packet of packets) if (packet instanceof Frame) packet.arrivedAt = arrivedAt;
    const since = this.lastRead;
    this.lastRead = at;
    const { heldBytes: held, released, error } = this.parser;
    this.push({ packets, bytes: chunk.length, held, at, since, released, block } satisfies PacketBatch);
    if (error === undefined) {
      callback();
    } else if (this.readableLength === 0) {
      callback(error);
    } else {
      // destroy() would throw away what is still to be read: read() does it when that is gone. The callback is never
      // called, so nothing more is taken in.
      this.failure = error;
    }
  }

  override _flush(callback: TransformCallback): void {
    const error = this.isDump ? truncation(this.parser) : undefined;
    // As in _transform: what precedes the damage is read first.
    if (error === undefined || this.readableLength === 0) callback(error);
    else this.failure = error;
  }

  override read(size?: number): unknown {
    const batch: unknown = super.read(size);
    const { failure } = this;
    if (failure !== undefined && this.readableLength === 0) process.nextTick(() => this.destroy(failure));
    return batch;
  }
}
