import type { Random } from '../random.js';

/** Numbers at which sizes, counts and times turn over. */
const EDGES = [
  ...[0, 1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 127, 128, 255, 256, 1024, 4095, 4096, 0x7fff, 0x8000, 0xffff, 0x10000],
  ...[0xfffffe, 0xffffff, 0x1000000, 0x1000001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff],
];

/** Inputs longer than that are cut: more bytes of the same teach nothing. */
export const LONGEST_INPUT = 8192;

type Change = (bytes: Buffer, random: Random, others: readonly Buffer[], words: readonly Buffer[]) => Buffer;

function setNumber(bytes: Buffer, random: Random): Buffer {
  const size = random.pick([1, 2, 3, 4]);
  if (bytes.length < size) return bytes;
  const at = random.below(bytes.length - size + 1);
  const value = random.pick(EDGES) % 2 ** (size * 8);
  if (random.oneIn(2)) bytes.writeUIntBE(value, at, size);
  else bytes.writeUIntLE(value, at, size);
  return bytes;
}

function insert(bytes: Buffer, at: number, what: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at)]);
}

function slice(bytes: Buffer, random: Random, longest: number): Buffer {
  const at = random.below(bytes.length);
  return bytes.subarray(at, at + 1 + random.below(longest));
}

const CHANGES: readonly Change[] = [
  (bytes, random) => {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  (bytes, random) => {
    bytes[random.below(bytes.length)] = random.u32();
    return bytes;
  },
  setNumber,
  setNumber,
  (bytes, random) => {
    const at = random.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(16))]);
  },
  (bytes, random) => insert(bytes, random.below(bytes.length + 1), random.bytes(1 + random.below(16))),
  (bytes, random) => insert(bytes, random.below(bytes.length + 1), slice(bytes, random, 64)),
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random, others) => {
    const other = random.pick(others);
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(random.below(other.length)),
    ]);
  },
  (bytes, random, _others, words) =>
    words.length === 0 ? bytes : insert(bytes, random.below(bytes.length + 1), random.pick(words)),
  (bytes, random, _others, words) => {
    if (words.length === 0) return bytes;
    const word = random.pick(words);
    word.copy(bytes, random.below(bytes.length));
    return bytes;
  },
];

/**
 * Another input like `from`: one change or a few of them, each of bits, bytes, numbers, lengths, or a piece of another.
 * Now and then bytes without any rule.
 *
 * @param words what the format has keywords, keys and markers
 */
export function mutate(from: Buffer, random: Random, others: readonly Buffer[], words: readonly Buffer[]): Buffer {
  if (random.oneIn(200)) return random.bytes(random.below(200));
  let bytes: Buffer = Buffer.from(from);
  for (let left = 1 + random.below(random.pick([1, 2, 4, 8])); left > 0; left--) {
    if (bytes.length === 0) bytes = random.bytes(1 + random.below(8));
    bytes = Buffer.from(random.pick(CHANGES)(bytes, random, others, words));
  }
  return bytes.subarray(0, LONGEST_INPUT);
}
