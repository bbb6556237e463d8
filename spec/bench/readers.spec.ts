import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ChunkReader } from '../../bench/chunk-reader.js';
import { PacketReader } from '../../bench/packet-reader.js';

const golden = (name: string): Buffer => readFileSync(`spec/golden/data/${name}`);

interface Message {
  readonly stream: number;
  readonly type: number;
  readonly length: number;
  readonly head: string;
}

/** Feeds the bytes in pieces, each from a buffer that is overwritten afterwards, as the shared one of the ingest is. */
function messages(bytes: Buffer, pieces: readonly number[]): Message[] {
  const found: Message[] = [];
  const reader = new ChunkReader(({ id, type, length, head }) => {
    found.push({ stream: id, type, length, head: head.toString('hex', 0, Math.min(length, head.length)) });
  });
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const piece = Buffer.from(bytes.subarray(at, at + (pieces[i] ?? bytes.length)));
    reader.feed(piece, 0, piece.length);
    at += piece.length;
    piece.fill(0xff);
  }
  return found;
}

describe('the chunk reader of the bench', () => {
  // A message of 130 bytes in two chunks of the default size, set chunk size 4096, then on the same chunk stream a
  // short message by delta, one that repeats the header before it, and one of a chunk stream with a two-byte id.
  // prettier-ignore
  const bytes = Buffer.from([
    '04', '000064', '000082', '09', '01000000', 'ab'.repeat(128), 'c4', 'cdcd',
    '02', '000000', '000004', '01', '00000000', '00001000',
    '44', '000021', '000003', '08', 'af0177', 'c4', 'af0178',
    '00', '24', 'ffffff', '000002', '12', '02000000', '01000000', '0500',
  ].join(''), 'hex');
  const expected: Message[] = [
    { stream: 4, type: 9, length: 130, head: 'ab'.repeat(32) },
    { stream: 2, type: 1, length: 4, head: '00001000' },
    { stream: 4, type: 8, length: 3, head: 'af0177' },
    { stream: 4, type: 8, length: 3, head: 'af0178' },
    { stream: 100, type: 18, length: 2, head: '0500' },
  ];

  it('finds each message, whole, byte by byte, and cut in two anywhere', () => {
    assert.deepEqual(messages(bytes, []), expected);
    assert.deepEqual(messages(bytes, Array<number>(bytes.length).fill(1)), expected);
    for (let cut = 1; cut < bytes.length; cut++) assert.deepEqual(messages(bytes, [cut]), expected, `cut at ${cut}`);
  });

  it('refuses a chunk stream that begins without a length', () => {
    const reader = new ChunkReader(() => undefined);
    assert.throws(() => reader.feed(Buffer.from('c500', 'hex'), 0, 2), /chunk stream 5/);
  });

  for (const name of ['av', 'chunk-128']) {
    it(`finds in the recording ${name} the frames that went in`, () => {
      const found = messages(golden(`${name}/expected.1.rtmp`), []).filter(({ head }) => head.startsWith('01', 2));
      const payloads = (type: number, tag: number): number[] =>
        found.filter((message) => message.type === type).map(({ length }) => length - tag);
      assert.deepEqual(payloads(9, 5), sizes(golden(`${name}/v.kmp`), []));
      assert.deepEqual(payloads(8, 2), sizes(golden(`${name}/a.kmp`), []));
    });
  }
});

function sizes(bytes: Buffer, pieces: readonly number[]): number[] {
  const found: number[] = [];
  const reader = new PacketReader((_head, size) => found.push(size));
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + (pieces[i] ?? bytes.length));
    reader.feed(bytes, at, end);
    at = end;
  }
  return found;
}

describe('the packet reader of the bench', () => {
  it('finds the frames of a recording, cut anyhow', () => {
    const bytes = golden('av/a.kmp');
    const whole = sizes(bytes, []);
    assert.ok(whole.length > 20);
    for (const piece of [1, 7, 16, 41, 1000]) {
      assert.deepEqual(sizes(bytes, Array<number>(Math.ceil(bytes.length / piece)).fill(piece)), whole);
    }
  });
});
