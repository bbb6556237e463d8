/** What the scriptable ingest writes: made here, by hand, and not by lib/rtmp. */
import { createHash, createHmac } from 'node:crypto';
import type { Amf } from '../rtmp/rtmp-parse.js';

export function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 255);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u16(bytes.length), bytes]);
}

export function amf(value: Amf): Buffer {
  if (value === null) return Buffer.of(5);
  if (value === undefined) return Buffer.of(6);
  if (typeof value === 'boolean') return Buffer.of(1, value ? 1 : 0);
  if (typeof value === 'string') return Buffer.concat([Buffer.of(2), text(value)]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (Array.isArray(value)) return Buffer.concat([Buffer.of(10), u32(value.length), ...value.map(amf)]);
  const fields = Object.entries(value).map(([key, field]) => Buffer.concat([text(key), amf(field)]));
  return Buffer.concat([Buffer.of(3), ...fields, Buffer.of(0, 0, 9)]);
}

export interface OutMessage {
  readonly type: number;
  readonly payload: Buffer;
  readonly streamId?: number;
  readonly chunkStream?: number;
  readonly timestamp?: number;
}

/** One message with a full header, cut into chunks. */
export function chunked(message: OutMessage, chunkSize: number): Buffer {
  const { type, payload, streamId = 0, chunkStream = type === 20 ? 3 : 2, timestamp = 0 } = message;
  const header = Buffer.alloc(12);
  header.writeUInt8(chunkStream, 0);
  header.writeUIntBE(Math.min(timestamp, 0xffffff), 1, 3);
  header.writeUIntBE(payload.length, 4, 3);
  header.writeUInt8(type, 7);
  header.writeUInt32LE(streamId, 8);
  const extended = timestamp >= 0xffffff ? u32(timestamp) : Buffer.alloc(0);
  const parts: Buffer[] = [header, extended];
  for (let at = 0; at < payload.length; at += chunkSize) {
    if (at > 0) parts.push(Buffer.of(0xc0 | chunkStream), extended);
    parts.push(payload.subarray(at, at + chunkSize));
  }
  return Buffer.concat(parts);
}

/** 1536 bytes of an S1 that signs itself at scheme 0's or 1's place, from filler that is the same in every run. */
export function signedS1(scheme: 0 | 1): Buffer {
  const block = Buffer.alloc(1536);
  for (let i = 8; i < block.length; i++) block.writeUInt8((i * 7 + scheme) & 255, i);
  block.writeUInt32BE(0x05000101, 4);
  const from = scheme === 1 ? 8 : 772;
  const sum = block.subarray(from, from + 4).reduce((all, byte) => all + byte, 0);
  const at = from + 4 + (sum % 728);
  const mac = createHmac('sha256', 'Genuine Adobe Flash Media Server 001');
  mac.update(block.subarray(0, at)).update(block.subarray(at + 32));
  mac.digest().copy(block, at);
  return block;
}

/** base64 of the MD5, as Adobe's scheme wants it. */
export function md5base64(...parts: string[]): string {
  return createHash('md5').update(parts.join('')).digest('base64');
}

export function md5hex(...parts: string[]): string {
  return createHash('md5').update(parts.join(':')).digest('hex');
}
