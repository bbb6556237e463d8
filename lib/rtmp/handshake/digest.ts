import { createHmac } from 'node:crypto';

/** Size of C1, S1, C2 and S2: time (4), version (4), random bytes. */
export const HANDSHAKE_SIZE = 1536;
export const VERSION_AT = 4;
export const RANDOM_AT = 8;
export const DIGEST_SIZE = 32;

/** C0 and S0: plain RTMP. */
export const RTMP_VERSION = 3;

// Each key is a readable name and these 32 bytes, a public fact of the protocol (docs/protocol/rtmp.md, Handshake).
const KEY_TAIL = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex');
const CLIENT_NAME = Buffer.from('Genuine Adobe Flash Player 001', 'latin1');
const SERVER_NAME = Buffer.from('Genuine Adobe Flash Media Server 001', 'latin1');

/** `short` signs C1 or S1; `full` makes the key that signs C2 or S2. */
export interface SideKey {
  readonly short: Buffer;
  readonly full: Buffer;
}
export const CLIENT_KEY: SideKey = { short: CLIENT_NAME, full: Buffer.concat([CLIENT_NAME, KEY_TAIL]) };
export const SERVER_KEY: SideKey = { short: SERVER_NAME, full: Buffer.concat([SERVER_NAME, KEY_TAIL]) };

/** Position of the digest in C1 or S1: `base` + (sum of the four bytes at `sumAt`) mod 728. */
export interface Scheme {
  readonly sumAt: number;
  readonly base: number;
}
export const SCHEME_0: Scheme = { sumAt: 772, base: 776 };
export const SCHEME_1: Scheme = { sumAt: 8, base: 12 };

export function hmac(key: Buffer, ...parts: Buffer[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Offset of the digest in a block of {@link HANDSHAKE_SIZE} bytes. */
export function digestOffset(block: Buffer, { sumAt, base }: Scheme): number {
  let sum = 0;
  for (let i = sumAt; i < sumAt + 4; i++) sum += block.readUInt8(i);
  return base + (sum % 728);
}

function digestAround(block: Buffer, at: number, key: Buffer): Buffer {
  return hmac(key, block.subarray(0, at), block.subarray(at + DIGEST_SIZE));
}

/** Writes the digest of a C1 or S1, over all its other bytes, into it, and returns the digest. */
export function signHello(block: Buffer, scheme: Scheme, side: SideKey): Buffer {
  const at = digestOffset(block, scheme);
  const digest = digestAround(block, at, side.short);
  digest.copy(block, at);
  return digest;
}

/**
 * The digest that a C1 or S1 has at the position of one of the schemes, with that scheme; undefined if at neither.
 */
export function findDigest(block: Buffer, side: SideKey): { digest: Buffer; scheme: Scheme } | undefined {
  for (const scheme of [SCHEME_1, SCHEME_0]) {
    const at = digestOffset(block, scheme);
    const found = block.subarray(at, at + DIGEST_SIZE);
    if (digestAround(block, at, side.short).equals(found)) return { digest: Buffer.from(found), scheme };
  }
  return undefined;
}

/** A C2 or S2: `filler` (1504 bytes), then a digest over it, which proves that the digest of the peer was read. */
export function signReply(filler: Buffer, peerDigest: Buffer, side: SideKey): Buffer {
  return Buffer.concat([filler, hmac(hmac(side.full, peerDigest), filler)], HANDSHAKE_SIZE);
}
