import { emptyHeader, parseChunkHeader } from './chunk-header.js';
import { ChunkStream } from './chunk-stream.js';
import { RtmpError } from '../errors.js';
import { MessageType } from '../message-type.js';

/** A message, assembled from its chunks. */
export interface RtmpMessage {
  /** Offset at which its first chunk begins, in bytes from the start of this direction. */
  readonly offset: number;
  readonly type: number;
  /** Absolute, ms modulo 2^32. */
  readonly timestamp: number;
  /** Message stream id. */
  readonly streamId: number;
  readonly chunkStreamId: number;
  /** May be a slice of the input: copy it to keep it for long, or where memory is counted. */
  readonly payload: Buffer;
}

/** An incomplete message. */
export type UnfinishedMessage = Pick<ChunkStream, 'offset' | 'type' | 'filled' | 'length'>;

export interface ChunkReaderOptions {
  /** Payload bytes per chunk until the Set Chunk Size of the peer; default 128. */
  readonly chunkSize?: number;
  /** Longest message, bytes; default and maximum 16777215, the limit of the header field. */
  readonly maxMessageSize?: number;
  /** Most bytes held for unfinished messages; default 33554432. */
  readonly maxHeldBytes?: number;
  /** Most chunk streams; default 256. */
  readonly maxStreams?: number;
}

const MAX_CHUNK_SIZE = 0x7fffffff;

/**
 * Assembles the chunks of one direction of a connection into messages (RTMP 1.0, 5.3), from untrusted input: memory
 * grows with the bytes received, never with the lengths claimed. Set Chunk Size and Abort of the peer are applied
 * here, and returned like all other messages.
 */
export class ChunkReader {
  private chunkSize = 128;
  private readonly maxMessageSize: number;
  /** Most bytes held for unfinished messages; see {@link ChunkReaderOptions}. It may be changed at any time. */
  maxHeldBytes: number;
  private readonly maxStreams: number;
  private readonly chunkStreams = new Map<number, ChunkStream>();
  private readonly header = emptyHeader();
  /** The chunk stream of the chunk that is being read, and its missing bytes; undefined between chunks. */
  private current: ChunkStream | undefined;
  private missing = 0;
  /** The first bytes of an incomplete chunk header. */
  private carry: Buffer | undefined;
  /**
   * Bytes that were read before those of the current {@link read}, and the offset of the last chunk.
   */
  private before = 0;
  private chunkAt = 0;
  /** True if the peer repeats extended timestamps in chunks of format 3; undefined until one was seen. */
  private repeats: boolean | undefined;
  private held = 0;
  private broken: RtmpError | undefined;

  constructor(options: ChunkReaderOptions = {}) {
    this.maxMessageSize = options.maxMessageSize ?? 0xffffff;
    this.maxHeldBytes = options.maxHeldBytes ?? 0x2000000;
    this.maxStreams = options.maxStreams ?? 256;
    this.setChunkSize(options.chunkSize ?? 128);
  }

  /** Bytes of memory held for incomplete messages. */
  get heldBytes(): number {
    return this.held + (this.carry?.length ?? 0);
  }

  /**
   * Offset at which the last chunk begins: the faulty one, if there is a {@link failure}.
   */
  get chunkOffset(): number {
    return this.chunkAt;
  }

  /** The incomplete messages: a recording that stops here ends within them. */
  get unfinished(): readonly UnfinishedMessage[] {
    return [...this.chunkStreams.values()].filter((chunkStream) => chunkStream.inside);
  }

  /**
   * The error that made the bytes unreadable. From then on {@link feed} throws it.
   */
  get failure(): RtmpError | undefined {
    return this.broken;
  }

  /**
   * Sets the payload bytes per chunk; a chunk that has begun keeps its length. The Set Chunk Size of the peer is
   * applied without this call.
   *
   * @param size 1 to 2147483647
   * @throws RtmpError `rtmp_bad_chunk`
   */
  setChunkSize(size: number): void {
    if (!Number.isInteger(size) || size < 1 || size > MAX_CHUNK_SIZE) {
      throw new RtmpError('rtmp_bad_chunk', `chunk size ${size} is out of range, 1 to ${MAX_CHUNK_SIZE}`);
    }
    this.chunkSize = size;
  }

  /**
   * Takes the next bytes, cut anywhere, and returns the messages that they complete.
   *
   * @throws RtmpError `rtmp_bad_chunk`, `rtmp_bad_message`, `rtmp_message_too_big`, `rtmp_too_much_held`,
   *   `rtmp_too_many_chunk_streams`. Messages that were complete before the error are returned first;
   *   the error is in {@link failure} then, and thrown by the next call
   */
  feed(chunk: Buffer): RtmpMessage[] {
    if (this.broken !== undefined) throw this.broken;
    const messages: RtmpMessage[] = [];
    try {
      this.read(this.carry === undefined ? chunk : Buffer.concat([this.carry, chunk]), messages);
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
      this.broken = error;
      this.chunkStreams.clear();
      this.current = undefined;
      this.carry = undefined;
      this.held = 0;
      if (messages.length === 0) throw error;
    }
    return messages;
  }

  private read(bytes: Buffer, messages: RtmpMessage[]): void {
    this.carry = undefined;
    let at = 0;
    while (at < bytes.length) {
      if (this.current === undefined) {
        this.chunkAt = this.before + at;
        if (!this.begin(bytes, at)) {
          this.carry = Buffer.from(bytes.subarray(at));
          break;
        }
        at += this.header.size;
      }
      at = this.body(bytes, at, messages);
    }
    this.before += at;
  }

  /** Reads a chunk header; false if it is incomplete. */
  private begin(bytes: Buffer, at: number): boolean {
    const { header } = this;
    if (!parseChunkHeader(bytes, at, header)) return false;
    const known = this.chunkStreams.get(header.chunkStreamId);
    const chunkStream = known ?? new ChunkStream(header.chunkStreamId);
    if (header.format === 3) {
      const extended = chunkStream.extendedIn(bytes, at + header.size, this.repeats);
      if (extended === undefined) return false;
      if (extended !== 'none') this.repeats = extended === 'repeated';
      if (extended === 'repeated') header.size += 4;
    }
    if (!chunkStream.inside) chunkStream.offset = this.chunkAt;
    chunkStream.begin(header);
    if (chunkStream.length > this.maxMessageSize) {
      const limit = `this connection accepts at most ${this.maxMessageSize}`;
      throw new RtmpError(
        'rtmp_message_too_big',
        `a message of ${chunkStream.length} bytes (type ${chunkStream.type}): ${limit}`,
      );
    }
    if (known === undefined) {
      if (this.chunkStreams.size >= this.maxStreams) {
        throw new RtmpError(
          'rtmp_too_many_chunk_streams',
          `more than ${this.maxStreams} chunk streams on one connection`,
        );
      }
      this.chunkStreams.set(header.chunkStreamId, chunkStream);
    }
    this.current = chunkStream;
    this.missing = Math.min(this.chunkSize, chunkStream.length - chunkStream.filled);
    return true;
  }

  /** Takes the available payload of the current chunk; returns the offset of its end. */
  private body(bytes: Buffer, at: number, messages: RtmpMessage[]): number {
    const chunkStream = this.current;
    if (chunkStream === undefined) return at;
    const end = Math.min(bytes.length, at + this.missing);
    this.missing -= end - at;
    let payload: Buffer | undefined;
    if (chunkStream.filled === 0 && end - at === chunkStream.length) {
      payload = bytes.subarray(at, end);
    } else if (end > at) {
      const before = chunkStream.capacity;
      chunkStream.append(bytes, at, end);
      this.held += chunkStream.capacity - before;
      if (this.held > this.maxHeldBytes) {
        throw new RtmpError('rtmp_too_much_held', `more than ${this.maxHeldBytes} bytes of incomplete messages`);
      }
      if (chunkStream.filled === chunkStream.length) {
        this.held -= chunkStream.capacity;
        payload = chunkStream.take();
      }
    }
    if (this.missing === 0) this.current = undefined;
    if (payload !== undefined) this.finish(chunkStream, payload, messages);
    return end;
  }

  private finish(chunkStream: ChunkStream, payload: Buffer, messages: RtmpMessage[]): void {
    chunkStream.inside = false;
    const { type, timestamp, streamId, id, offset } = chunkStream;
    if (type === MessageType.setChunkSize || type === MessageType.abort) {
      if (payload.length < 4)
        throw new RtmpError('rtmp_bad_message', `a control message (type ${type}) of ${payload.length} bytes`);
      const value = payload.readUInt32BE(0);
      // The highest bit of Set Chunk Size has no meaning.
      if (type === MessageType.setChunkSize) this.setChunkSize(value & MAX_CHUNK_SIZE);
      else this.abandon(value);
    }
    messages.push({ offset, type, timestamp, streamId, chunkStreamId: id, payload });
  }

  private abandon(chunkStreamId: number): void {
    const chunkStream = this.chunkStreams.get(chunkStreamId);
    if (chunkStream === undefined) return;
    this.held -= chunkStream.capacity;
    chunkStream.drop();
  }
}
