import { emptyHeader, parseChunkHeader } from './chunk-header.js';
import { Lane } from './chunk-lane.js';
import { RtmpError } from './errors.js';
import { MessageType } from './message-type.js';

/** A message, put together from its chunks. */
export interface RtmpMessage {
  /** Byte of this direction at which its first chunk begins. */
  readonly offset: number;
  readonly type: number;
  /** Absolute, ms modulo 2^32. */
  readonly timestamp: number;
  /** Message stream id. */
  readonly streamId: number;
  readonly chunkStreamId: number;
  /** May be a slice of what was fed: who keeps it for long, and counts memory, copies it. */
  readonly payload: Buffer;
}

/** A message of which chunks are missing. */
export type UnfinishedMessage = Pick<Lane, 'offset' | 'type' | 'filled' | 'length'>;

export interface ChunkReaderOptions {
  /** Payload bytes a chunk until the peer's Set Chunk Size; default 128. */
  readonly chunkSize?: number;
  /** Longest message, bytes; default and most 16777215, what the header can say. */
  readonly maxMessageSize?: number;
  /** Most bytes held for unfinished messages; default 33554432. */
  readonly maxHeldBytes?: number;
  /** Most chunk streams; default 256. */
  readonly maxStreams?: number;
}

const MAX_CHUNK_SIZE = 0x7fffffff;

/**
 * Puts the chunks of one direction of a connection together to messages (RTMP 1.0, 5.3), for input that nobody vouches for:
 * memory follows the bytes that are in, never the lengths that are claimed. The peer's Set Chunk Size and Abort are obeyed
 * here, and handed out like all others.
 */
export class ChunkReader {
  private chunkSize = 128;
  private readonly maxMessageSize: number;
  private readonly maxHeldBytes: number;
  private readonly maxStreams: number;
  private readonly lanes = new Map<number, Lane>();
  private readonly header = emptyHeader();
  /** The chunk that is being read, and how many bytes of it are missing; undefined between chunks. */
  private current: Lane | undefined;
  private missing = 0;
  /** A chunk header's first bytes, if the bytes so far end in one. */
  private carry: Buffer | undefined;
  /** How many bytes were read before those that {@link read} has, and where the last chunk began. */
  private before = 0;
  private chunkAt = 0;
  /** Whether the peer repeats extended timestamps in type-3 chunks; undefined until one was seen. */
  private repeats: boolean | undefined;
  private held = 0;
  private broken: RtmpError | undefined;

  constructor(options: ChunkReaderOptions = {}) {
    this.maxMessageSize = options.maxMessageSize ?? 0xffffff;
    this.maxHeldBytes = options.maxHeldBytes ?? 0x2000000;
    this.maxStreams = options.maxStreams ?? 256;
    this.setChunkSize(options.chunkSize ?? 128);
  }

  /** Bytes of memory held for unfinished messages. */
  get heldBytes(): number {
    return this.held + (this.carry?.length ?? 0);
  }

  /** Byte of this direction at which the last chunk begins: the one at fault, if there is a {@link failure}. */
  get chunkOffset(): number {
    return this.chunkAt;
  }

  /** The messages of which chunks are missing: what a recording that stops here ends within. */
  get unfinished(): readonly UnfinishedMessage[] {
    return [...this.lanes.values()].filter((lane) => lane.inside);
  }

  /** What made the bytes unreadable, once they are: from then on {@link feed} throws it. */
  get failure(): RtmpError | undefined {
    return this.broken;
  }

  /**
   * Bytes a chunk from here on; a chunk that has begun keeps its length. The peer's own Set Chunk Size needs no call.
   *
   * @param size 1 .. 2147483647
   * @throws RtmpError `bad_chunk`
   */
  setChunkSize(size: number): void {
    if (!Number.isInteger(size) || size < 1 || size > MAX_CHUNK_SIZE) {
      throw new RtmpError('bad_chunk', `chunk size ${size} is not within 1 and ${MAX_CHUNK_SIZE}`);
    }
    this.chunkSize = size;
  }

  /**
   * Takes the next bytes, cut anywhere, and returns the messages that they complete.
   *
   * @throws RtmpError `bad_chunk`, `bad_message`, `message_too_big`, `too_much_held`, `too_many_chunk_streams`; messages
   * that were complete before the fault are returned first, the error then is in {@link failure} and thrown by the next call
   */
  feed(chunk: Buffer): RtmpMessage[] {
    if (this.broken !== undefined) throw this.broken;
    const messages: RtmpMessage[] = [];
    try {
      this.read(this.carry === undefined ? chunk : Buffer.concat([this.carry, chunk]), messages);
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
      this.broken = error;
      this.lanes.clear();
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

  /** Reads a chunk's header; false if it is not all there. */
  private begin(bytes: Buffer, at: number): boolean {
    const { header } = this;
    if (!parseChunkHeader(bytes, at, header)) return false;
    const known = this.lanes.get(header.chunkStreamId);
    const lane = known ?? new Lane(header.chunkStreamId);
    if (header.format === 3) {
      const extended = lane.extendedIn(bytes, at + header.size, this.repeats);
      if (extended === undefined) return false;
      if (extended !== 'none') this.repeats = extended === 'repeated';
      if (extended === 'repeated') header.size += 4;
    }
    if (!lane.inside) lane.offset = this.chunkAt;
    lane.begin(header);
    if (lane.length > this.maxMessageSize) {
      const limit = `this connection takes up to ${this.maxMessageSize}`;
      throw new RtmpError('message_too_big', `a message of ${lane.length} bytes (type ${lane.type}): ${limit}`);
    }
    if (known === undefined) {
      if (this.lanes.size >= this.maxStreams) {
        throw new RtmpError('too_many_chunk_streams', `more than ${this.maxStreams} chunk streams on one connection`);
      }
      this.lanes.set(header.chunkStreamId, lane);
    }
    this.current = lane;
    this.missing = Math.min(this.chunkSize, lane.length - lane.filled);
    return true;
  }

  /** Takes what is there of the current chunk's payload; returns where it ends. */
  private body(bytes: Buffer, at: number, messages: RtmpMessage[]): number {
    const lane = this.current;
    if (lane === undefined) return at;
    const end = Math.min(bytes.length, at + this.missing);
    this.missing -= end - at;
    let payload: Buffer | undefined;
    if (lane.filled === 0 && end - at === lane.length) {
      payload = bytes.subarray(at, end);
    } else if (end > at) {
      const before = lane.capacity;
      lane.append(bytes, at, end);
      this.held += lane.capacity - before;
      if (this.held > this.maxHeldBytes) {
        throw new RtmpError('too_much_held', `more than ${this.maxHeldBytes} bytes of unfinished messages`);
      }
      if (lane.filled === lane.length) {
        this.held -= lane.capacity;
        payload = lane.take();
      }
    }
    if (this.missing === 0) this.current = undefined;
    if (payload !== undefined) this.finish(lane, payload, messages);
    return end;
  }

  private finish(lane: Lane, payload: Buffer, messages: RtmpMessage[]): void {
    lane.inside = false;
    const { type, timestamp, streamId, id, offset } = lane;
    if (type === MessageType.setChunkSize || type === MessageType.abort) {
      if (payload.length < 4)
        throw new RtmpError('bad_message', `a control message (type ${type}) of ${payload.length} bytes`);
      const value = payload.readUInt32BE(0);
      // The topmost bit of Set Chunk Size has no meaning.
      if (type === MessageType.setChunkSize) this.setChunkSize(value & MAX_CHUNK_SIZE);
      else this.abandon(value);
    }
    messages.push({ offset, type, timestamp, streamId, chunkStreamId: id, payload });
  }

  private abandon(chunkStreamId: number): void {
    const lane = this.lanes.get(chunkStreamId);
    if (lane === undefined) return;
    this.held -= lane.capacity;
    lane.drop();
  }
}
