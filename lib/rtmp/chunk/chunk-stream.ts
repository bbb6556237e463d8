import type { ChunkHeader } from './chunk-header.js';
import { RtmpError } from '../errors.js';

const EMPTY = Buffer.alloc(0);
/** Smallest block taken for a message that comes in pieces. */
const FIRST_BLOCK = 256;

/** The state of one chunk stream: what its next header refers to, and its incomplete message. */
export class ChunkStream {
  length = 0;
  type = 0;
  streamId = 0;
  timestamp = 0;
  /** Offset at which the first chunk of the message begins, in bytes from the start of this direction. */
  offset = 0;
  /** True while chunks of a message are missing. */
  inside = false;
  /** Bytes of the message received so far. */
  filled = 0;
  private delta = 0;
  /** The time of the last header of format 0, 1 or 2, if it had the extended timestamp; else undefined. */
  private extended: number | undefined;
  private fresh = true;
  private block: Buffer = EMPTY;

  constructor(readonly id: number) {}

  /** Bytes of memory held for the incomplete message. */
  get capacity(): number {
    return this.block.length;
  }

  /**
   * Begins a chunk.
   *
   * @throws RtmpError `rtmp_bad_chunk` if a chunk of this format is not allowed here
   */
  begin(header: ChunkHeader): void {
    const { format } = header;
    if (this.inside) {
      if (format === 3) return;
      const where = `${this.filled} of ${this.length} bytes into a message of chunk stream ${this.id}`;
      throw new RtmpError('rtmp_bad_chunk', `a chunk of format ${format}, but format 3 is required, ${where}`);
    }
    // librtmp begins chunk stream 2 with format 1 for its ping answers: there the message stream id is 0.
    if (this.fresh && format >= 2) {
      throw new RtmpError(
        'rtmp_bad_chunk',
        `chunk stream ${this.id} begins with format ${format}, which needs an earlier chunk`,
      );
    }
    this.fresh = false;
    if (format <= 1) {
      this.length = header.length;
      this.type = header.type;
    }
    if (format === 0) this.streamId = header.streamId;
    if (format <= 2) {
      this.delta = header.time;
      this.extended = header.extended ? header.time : undefined;
    }
    // A chunk of format 3 that begins a message repeats the time field too: after format 0, the absolute time is the
    // difference (RTMP 1.0, 5.3.1.2.4).
    this.timestamp = format === 0 ? header.time : (this.timestamp + this.delta) >>> 0;
    this.inside = true;
  }

  /**
   * Decides whether the header of a format-3 chunk contains the extended timestamp, at `at`. The specification
   * requires it, but some senders leave it out. `repeats` is what is known of this sender. undefined: more bytes are
   * needed.
   */
  extendedIn(bytes: Buffer, at: number, repeats: boolean | undefined): 'none' | 'repeated' | 'left out' | undefined {
    const { extended } = this;
    if (extended === undefined) return 'none';
    if (repeats === false) return 'left out';
    const there = Math.min(4, bytes.length - at);
    if (repeats === undefined && !this.couldBe(extended, bytes, at, there)) return 'left out';
    return there === 4 ? 'repeated' : undefined;
  }

  /** Some senders write the absolute time of the message there, although its own header had a difference. */
  private couldBe(extended: number, bytes: Buffer, at: number, there: number): boolean {
    return beginsWith(extended, bytes, at, there) || beginsWith(this.timestamp, bytes, at, there);
  }

  append(bytes: Buffer, from: number, to: number): void {
    const wanted = this.filled + to - from;
    if (wanted > this.block.length) {
      // The size at least doubles, so that the copying stays linear; it is never more than twice of what was
      // received.
      const grown = Buffer.allocUnsafeSlow(Math.min(this.length, Math.max(wanted, 2 * this.block.length, FIRST_BLOCK)));
      this.block.copy(grown, 0, 0, this.filled);
      this.block = grown;
    }
    bytes.copy(this.block, this.filled, from, to);
    this.filled = wanted;
  }

  /** Returns the bytes of the message, which belong to the caller from then on. */
  take(): Buffer {
    const payload = this.block.subarray(0, this.filled);
    this.drop();
    return payload;
  }

  drop(): void {
    this.block = EMPTY;
    this.filled = 0;
    this.inside = false;
  }
}

function beginsWith(value: number, bytes: Buffer, at: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (bytes[at + i] !== ((value >>> (24 - 8 * i)) & 255)) return false;
  return true;
}
