/**
 * A small RTMP parser for specs, on purpose apart from lib/rtmp and as plain as can be, so that what we write is not
 * judged by what we read with. It trusts its input; anything odd throws.
 */

/** A message as it was on the wire. */
export interface ParsedMessage {
  readonly chunkStream: number;
  /** Header format of its first chunk, 0 to 3. */
  readonly fmt: number;
  /** Absolute, modulo 2^32. */
  readonly timestamp: number;
  readonly type: number;
  readonly streamId: number;
  readonly payload: Buffer;
  /** In how many chunks it came. */
  readonly chunks: number;
  /** How many of these carried the extended timestamp. */
  readonly extended: number;
}

interface ChunkState {
  fmt: number;
  timestamp: number;
  delta: number;
  length: number;
  type: number;
  streamId: number;
  hasExtended: boolean;
  parts: Buffer[];
  got: number;
  chunks: number;
  extended: number;
}

/** Thrown inside to say that the bytes so far end within a chunk. */
class Short extends Error {}

class Cursor {
  at = 0;
  constructor(private readonly bytes: Buffer) {}
  take(n: number): Buffer {
    if (this.at + n > this.bytes.length) throw new Short();
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }
  u8(): number {
    return this.take(1).readUInt8(0);
  }
  u24(): number {
    return this.take(3).readUIntBE(0, 3);
  }
  u32(): number {
    return this.take(4).readUInt32BE(0);
  }
}

export class RtmpParse {
  readonly messages: ParsedMessage[] = [];
  private pending: Buffer = Buffer.alloc(0);
  private readonly states = new Map<number, ChunkState>();

  constructor(public chunkSize = 128) {}

  /** Bytes of a chunk that is not complete yet. */
  get leftOver(): number {
    return this.pending.length;
  }

  /** Returns the messages that these bytes complete. */
  push(bytes: Buffer): ParsedMessage[] {
    this.pending = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    const from = this.messages.length;
    const cursor = new Cursor(this.pending);
    let done = 0;
    try {
      while (done < this.pending.length) {
        this.chunk(cursor);
        done = cursor.at;
      }
    } catch (error) {
      if (!(error instanceof Short)) throw error;
    }
    this.pending = this.pending.subarray(done);
    return this.messages.slice(from);
  }

  private chunk(cursor: Cursor): void {
    const first = cursor.u8();
    const fmt = first >> 6;
    let chunkStream = first & 63;
    if (chunkStream === 0) chunkStream = 64 + cursor.u8();
    else if (chunkStream === 1) chunkStream = 64 + cursor.take(2).readUInt16LE(0);

    const known = this.states.get(chunkStream);
    if (known === undefined && fmt !== 0) throw new Error(`fmt ${fmt} opens chunk stream ${chunkStream}`);
    const old: ChunkState = known ?? {
      ...{ fmt: 0, timestamp: 0, delta: 0, length: 0, type: 0, streamId: 0, hasExtended: false },
      ...{ parts: [], got: 0, chunks: 0, extended: 0 },
    };
    const inside = old.chunks > 0;
    if (inside && fmt !== 3) throw new Error(`fmt ${fmt} within a message of chunk stream ${chunkStream}`);

    const state = { ...old, parts: [...old.parts] };
    let time = 0;
    if (fmt <= 2) time = cursor.u24();
    if (fmt <= 1) {
      state.length = cursor.u24();
      state.type = cursor.u8();
    }
    if (fmt === 0) state.streamId = cursor.take(4).readUInt32LE(0);
    if (fmt <= 2) state.hasExtended = time === 0xffffff;
    if (state.hasExtended) {
      const extended = cursor.u32();
      state.extended++;
      if (fmt <= 2) time = extended;
    }
    if (!inside) {
      state.fmt = fmt;
      if (fmt === 0) state.timestamp = time;
      if (fmt === 1 || fmt === 2) state.delta = time;
      if (fmt === 0) state.delta = time;
      if (fmt !== 0) state.timestamp = (state.timestamp + state.delta) % 2 ** 32;
    }
    const body = cursor.take(Math.min(this.chunkSize, state.length - state.got));
    state.parts.push(body);
    state.got += body.length;
    state.chunks++;
    if (state.got === state.length) this.finish(chunkStream, state);
    this.states.set(chunkStream, state);
  }

  private finish(chunkStream: number, state: ChunkState): void {
    const { fmt, timestamp, type, streamId, chunks, extended } = state;
    const payload = Buffer.concat(state.parts);
    this.messages.push({ chunkStream, fmt, timestamp, type, streamId, payload, chunks, extended });
    Object.assign(state, { parts: [], got: 0, chunks: 0, extended: 0 });
    if (type === 1) this.chunkSize = payload.readUInt32BE(0);
  }
}

/** All messages of a recording; throws if it ends within a chunk. */
export function parseRtmp(bytes: Buffer, chunkSize = 128): ParsedMessage[] {
  const parser = new RtmpParse(chunkSize);
  parser.push(bytes);
  if (parser.leftOver > 0) throw new Error(`${parser.leftOver} bytes left over`);
  return parser.messages;
}

export type Amf = null | undefined | boolean | number | string | Amf[] | { [key: string]: Amf };

/** The AMF0 values of a command or data message, as plain values (an ECMA array becomes an object). */
export function parseAmf(payload: Buffer): Amf[] {
  const cursor = new Cursor(payload);
  const values: Amf[] = [];
  while (cursor.at < payload.length) values.push(amfValue(cursor));
  return values;
}

function amfValue(cursor: Cursor): Amf {
  const marker = cursor.u8();
  if (marker === 0) return cursor.take(8).readDoubleBE(0);
  if (marker === 1) return cursor.u8() !== 0;
  if (marker === 2) return amfText(cursor);
  if (marker === 3) return amfObject(cursor);
  if (marker === 5) return null;
  if (marker === 6) return undefined;
  if (marker === 8) {
    cursor.u32();
    return amfObject(cursor);
  }
  if (marker === 10) return Array.from({ length: cursor.u32() }, () => amfValue(cursor));
  throw new Error(`AMF0 marker ${marker} at ${cursor.at - 1}`);
}

function amfText(cursor: Cursor): string {
  return cursor.take(cursor.take(2).readUInt16BE(0)).toString('utf8');
}

function amfObject(cursor: Cursor): { [key: string]: Amf } {
  const object = Object.create(null) as { [key: string]: Amf };
  for (;;) {
    const key = amfText(cursor);
    if (key === '') {
      if (cursor.u8() !== 9) throw new Error('no end marker behind an empty key');
      return { ...object };
    }
    object[key] = amfValue(cursor);
  }
}
