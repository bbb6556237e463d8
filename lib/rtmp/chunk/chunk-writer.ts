import type { Frame } from '../../media/frame.js';
import { RtmpError } from '../errors.js';
import type { OutputBuffer } from './output-buffer.js';

/** Chunk size of both directions until a Set Chunk Size. */
export const DEFAULT_CHUNK_SIZE = 128;

/** Value of the 24-bit time field that announces an extended timestamp. */
const EXTENDED = 0xffffff;

/** basic header 3, message header 11, extended timestamp 4 */
const MAX_HEADER = 18;

/** Largest tag head, bytes (what `writeMedia` puts before the payload): it fits into a chunk of every size. */
export const MAX_HEAD = 64;

/** Largest message, bytes: the length field has 24 bits. */
const MAX_MESSAGE = 0xffffff;

/** Largest payload or codec private data, bytes, that a message can carry behind its head. */
export const MAX_PAYLOAD = MAX_MESSAGE - MAX_HEAD;

/**
 * Splits messages into chunks (docs/protocol/rtmp.md, Chunks; RTMP 1.0, 5.3.1). Chunk headers of format 0 carry an
 * absolute time, those of format 1 the difference to the previous message of the same chunk stream.
 *
 *     basic header   1-3 bytes   fmt(2) csid(6); csid field 0: one more byte, id - 64; 1: two more, little-endian
 *     message header 11 / 7      time(3) length(3) type(1) [message stream id(4, little-endian): format 0 only]
 *     extended time  4           if the time field is 0xffffff; repeated in each type-3 chunk of the message
 */
export class ChunkWriter {
  /** Payload bytes per chunk. Set when Set Chunk Size is written, never otherwise. */
  chunkSize = DEFAULT_CHUNK_SIZE;

  constructor(private readonly out: OutputBuffer) {}

  /**
   * Writes one message.
   *
   * @param format 0: `time` is absolute; 1: `time` is a difference, and the message stream id is that of the previous
   *   message
   * @param time ms, modulo 2^32
   * @throws RtmpError `rtmp_bad_value` if the body is longer than a message can be; then nothing is written
   */
  write(csid: number, format: 0 | 1, time: number, type: number, msid: number, body: Buffer): void {
    this.header(csid, format, time >>> 0, type, msid, body.length);
    this.body(csid, time >>> 0, Math.min(this.chunkSize, body.length), body, 0, body.length, body.length);
  }

  /**
   * Writes one message with the body `head` (its first `headSize` bytes; at most {@link MAX_HEAD}) and the payload of
   * `frame`. A payload is copied only if it is small.
   *
   * @throws RtmpError as of {@link write}
   */
  writeMedia(
    csid: number,
    format: 0 | 1,
    time: number,
    type: number,
    msid: number,
    head: Uint8Array,
    headSize: number,
    frame: Frame,
  ): void {
    const time32 = time >>> 0;
    const { size, buffer, start } = frame;
    this.header(csid, format, time32, type, msid, headSize + size);
    const { out } = this;
    out.reserve(headSize);
    const { slab } = out;
    let pos = out.pos;
    for (let i = 0; i < headSize; i++) slab[pos++] = head[i] ?? 0;
    out.pos = pos;
    let room = this.chunkSize - headSize;
    if (buffer !== undefined) {
      this.body(csid, time32, room, buffer, start, start + size, size);
      return;
    }
    let left = size;
    for (const part of frame.parts) {
      room = this.body(csid, time32, room, part, 0, part.length, left);
      left -= part.length;
    }
  }

  private header(csid: number, format: 0 | 1, time: number, type: number, msid: number, length: number): void {
    if (length > MAX_MESSAGE) {
      throw new RtmpError('rtmp_bad_value', `a message of ${length} bytes: the RTMP limit is ${MAX_MESSAGE}`);
    }
    const { out } = this;
    out.reserve(MAX_HEADER);
    this.basicHeader(csid, format);
    const { slab } = out;
    let pos = out.pos;
    const field = time >= EXTENDED ? EXTENDED : time;
    slab[pos++] = field >>> 16;
    slab[pos++] = field >>> 8;
    slab[pos++] = field;
    slab[pos++] = length >>> 16;
    slab[pos++] = length >>> 8;
    slab[pos++] = length;
    slab[pos++] = type;
    if (format === 0) {
      slab[pos++] = msid;
      slab[pos++] = msid >>> 8;
      slab[pos++] = msid >>> 16;
      slab[pos++] = msid >>> 24;
    }
    out.pos = pos;
    if (field === EXTENDED) this.extendedTime(time);
  }

  /**
   * Writes bytes `from` to `to` of `piece`, and begins chunks of format 3 where the current one (`room` bytes left)
   * is full. `left` is the number of message bytes from `from` on. Returns the room left.
   */
  private body(
    csid: number,
    time: number,
    room: number,
    piece: Buffer,
    from: number,
    to: number,
    left: number,
  ): number {
    const { out } = this;
    let at = from;
    while (at < to) {
      if (room === 0) {
        out.reserve(MAX_HEADER);
        this.basicHeader(csid, 3);
        if (time >= EXTENDED) this.extendedTime(time);
        room = Math.min(this.chunkSize, left - (at - from));
      }
      const end = Math.min(to, at + room);
      out.append(piece, at, end);
      room -= end - at;
      at = end;
    }
    return room;
  }

  private basicHeader(csid: number, format: number): void {
    const { out } = this;
    const { slab } = out;
    if (csid < 64) {
      slab[out.pos++] = (format << 6) | csid;
    } else if (csid < 320) {
      slab[out.pos++] = format << 6;
      slab[out.pos++] = csid - 64;
    } else {
      slab[out.pos++] = (format << 6) | 1;
      slab[out.pos++] = csid - 64;
      slab[out.pos++] = (csid - 64) >>> 8;
    }
  }

  private extendedTime(time: number): void {
    const { out } = this;
    const { slab } = out;
    slab[out.pos++] = time >>> 24;
    slab[out.pos++] = time >>> 16;
    slab[out.pos++] = time >>> 8;
    slab[out.pos++] = time;
  }
}
