/**
 * Wire bytes put together by hand: the second hand that specs compare with, so nothing here may come from lib/. Numbers
 * are named by their width in bits and their order: u32le, u24be ...
 */

export function u8(value: number): Buffer {
  return Buffer.of(value);
}

function unsigned(value: number | bigint, bytes: number): number[] {
  let rest = BigInt.asUintN(bytes * 8, BigInt(value));
  const little: number[] = [];
  for (let i = 0; i < bytes; i++) {
    little.push(Number(rest & 0xffn));
    rest >>= 8n;
  }
  return little;
}

/** Negative numbers become their two's complement, so these do for signed fields too. */
export const u16le = (value: number): Buffer => Buffer.from(unsigned(value, 2));
export const u32le = (value: number): Buffer => Buffer.from(unsigned(value, 4));
export const u64le = (value: number | bigint): Buffer => Buffer.from(unsigned(value, 8));
export const u16be = (value: number): Buffer => Buffer.from(unsigned(value, 2).reverse());
export const u24be = (value: number): Buffer => Buffer.from(unsigned(value, 3).reverse());
export const u32be = (value: number): Buffer => Buffer.from(unsigned(value, 4).reverse());

/** One byte a character. */
export function ascii(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Bytes as hex digits; white space is for the reader. */
export function hex(digits: string): Buffer {
  const packed = digits.replace(/\s+/g, '');
  const bytes = Buffer.from(packed, 'hex');
  if (bytes.length * 2 !== packed.length) throw new Error(`not hex: ${digits}`);
  return bytes;
}

/** Fills up with NUL to `size` bytes. */
export function pad(bytes: Buffer | string, size: number): Buffer {
  const start = typeof bytes === 'string' ? ascii(bytes) : bytes;
  if (start.length > size) throw new Error(`${start.length} bytes do not fit into ${size}`);
  return Buffer.concat([start, Buffer.alloc(size - start.length)]);
}

export function concat(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}
