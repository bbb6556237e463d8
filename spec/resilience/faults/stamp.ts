import { createHash } from 'node:crypto';

/** Track u32, number of the frame u32, its size u32; filler; MD5 of all before it. Big-endian. */
const HEAD = 12;
const SUM = 16;

export interface Stamp {
  readonly track: number;
  readonly number: number;
}

/** A payload that names its track and number, and differs from every other one, even if it is damaged. */
export function stampedPayload({ track, number }: Stamp, size: number): Buffer {
  const bytes = Buffer.alloc(Math.max(size, HEAD + SUM), (track * 31 + number) & 255);
  bytes.writeUInt32BE(track, 0);
  bytes.writeUInt32BE(number, 4);
  bytes.writeUInt32BE(bytes.length, 8);
  sum(bytes).copy(bytes, bytes.length - SUM);
  return bytes;
}

/** Who a payload is; undefined if any byte of it is not as it was. */
export function readStamp(bytes: Buffer): Stamp | undefined {
  if (bytes.length < HEAD + SUM || bytes.readUInt32BE(8) !== bytes.length) return undefined;
  if (!sum(bytes).equals(bytes.subarray(bytes.length - SUM))) return undefined;
  return { track: bytes.readUInt32BE(0), number: bytes.readUInt32BE(4) };
}

/** What is wrong with a payload that is damaged: where it differs from the one that its first bytes name. */
export function damage(bytes: Buffer): string {
  if (bytes.length < HEAD + SUM) return `${bytes.length} bytes`;
  const named = { track: bytes.readUInt32BE(0), number: bytes.readUInt32BE(4) };
  const whole = stampedPayload(named, bytes.length);
  const first = bytes.findIndex((byte, at) => byte !== whole[at]);
  const last = bytes.findLastIndex((byte, at) => byte !== whole[at]);
  const there = bytes.toString('hex', first, Math.min(last + 1, first + 48));
  return `${bytes.length} bytes, track ${named.track}, frame ${named.number}, wrong from ${first} to ${last}: ${there}`;
}

function sum(bytes: Buffer): Buffer {
  return createHash('md5')
    .update(bytes.subarray(0, bytes.length - SUM))
    .digest();
}
