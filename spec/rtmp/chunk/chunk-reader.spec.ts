import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { ChunkReader, type RtmpMessage } from '../../../lib/rtmp/chunk/chunk-reader.js';
import { RtmpError } from '../../../lib/rtmp/errors.js';
import { concat, hex } from '../../support/values/bytes.js';
import { everyCut, pieces } from '../../support/values/cuts.js';
import { parseRtmp } from '../../support/rtmp/rtmp-parse.js';

type Row = [type: number, timestamp: number, streamId: number, chunkStreamId: number, payload: string];

const rows: { name: string; bytes: string; messages: Row[] }[] = [
  { name: 'format 0', bytes: '04 000010 000003 09 01000000 aabbcc', messages: [[9, 16, 1, 4, 'aabbcc']] },
  { name: 'an empty message', bytes: '04 000010 000000 09 01000000', messages: [[9, 16, 1, 4, '']] },
  {
    name: 'formats 1 and 2 with differences, 3 repeating the last one',
    bytes: '04 000010 000001 09 01000000 aa  44 000005 000002 08 bbcc  84 000007 ddee  c4 ff00',
    messages: [
      [9, 16, 1, 4, 'aa'],
      [8, 21, 1, 4, 'bbcc'],
      [8, 28, 1, 4, 'ddee'],
      [8, 35, 1, 4, 'ff00'],
    ],
  },
  {
    name: 'format 3 behind format 0: the absolute time is the difference',
    bytes: '04 000010 000001 09 01000000 aa  c4 bb',
    messages: [
      [9, 16, 1, 4, 'aa'],
      [9, 32, 1, 4, 'bb'],
    ],
  },
  {
    name: 'two-byte and three-byte chunk stream ids',
    bytes:
      '00 00 000000 000001 08 01000000 aa  00 ff 000000 000001 08 01000000 bb  01 0001 000000 000001 08 02000000 cc',
    messages: [
      [8, 0, 1, 64, 'aa'],
      [8, 0, 1, 319, 'bb'],
      [8, 0, 2, 320, 'cc'],
    ],
  },
  {
    name: 'the highest chunk stream id, and the three-byte form of a low one',
    bytes: '01 ffff 000000 000001 08 01000000 aa  41 0000 000001 000001 08 bb',
    messages: [
      [8, 0, 1, 65599, 'aa'],
      [8, 1, 0, 64, 'bb'],
    ],
  },
  {
    name: 'two messages interleaved',
    bytes: `02 000000 000004 01 00000000 00000002
      04 000001 000004 09 01000000 a1a2  05 000002 000003 08 01000000 b1b2  c4 a3a4  c5 b3`,
    messages: [
      [1, 0, 0, 2, '00000002'],
      [9, 1, 1, 4, 'a1a2a3a4'],
      [8, 2, 1, 5, 'b1b2b3'],
    ],
  },
  {
    name: 'Set Chunk Size with its topmost bit set',
    bytes: '02 000000 000004 01 00000000 80000002  04 000000 000003 09 01000000 a1a2 c4 a3',
    messages: [
      [1, 0, 0, 2, '80000002'],
      [9, 0, 1, 4, 'a1a2a3'],
    ],
  },
  {
    name: 'Abort: the begun message is gone, its chunk stream goes on',
    bytes: `02 000000 000004 01 00000000 00000002  04 000009 000004 09 01000000 a1a2
      42 000000 000004 02 0000 c2 0004  04 00000a 000001 08 01000000 bb`,
    messages: [
      [1, 0, 0, 2, '00000002'],
      [2, 0, 0, 2, '00000004'],
      [8, 10, 1, 4, 'bb'],
    ],
  },
  {
    name: 'Abort of what never began',
    bytes: '02 000000 000004 02 00000000 00000009',
    messages: [[2, 0, 0, 2, '00000009']],
  },
  {
    name: 'extended timestamp, repeated in type-3 chunks',
    bytes: `02 000000 000004 01 00000000 00000002
      04 ffffff 000005 09 01000000 01020304 a1a2  c4 01020304 a3a4  c4 01020304 a5`,
    messages: [
      [1, 0, 0, 2, '00000002'],
      [9, 0x01020304, 1, 4, 'a1a2a3a4a5'],
    ],
  },
  {
    name: 'extended timestamp, not repeated in type-3 chunks',
    bytes: `02 000000 000004 01 00000000 00000002
      04 ffffff 000005 09 01000000 01020304 a1a2  c4 a3a4  c4 a5  04 ffffff 000003 09 01000000 01020304 a1a2 c4 01`,
    messages: [
      [1, 0, 0, 2, '00000002'],
      [9, 0x01020304, 1, 4, 'a1a2a3a4a5'],
      [9, 0x01020304, 1, 4, 'a1a201'],
    ],
  },
  {
    name: 'extended difference; type-3 chunks repeat the difference',
    bytes: `02 000000 000004 01 00000000 00000002
      04 000001 000001 09 01000000 aa  44 ffffff 000003 09 01000000 b1b2  c4 01000000 b3  84 000001 c1c2 c4 c3`,
    messages: [
      [1, 0, 0, 2, '00000002'],
      [9, 1, 1, 4, 'aa'],
      [9, 0x01000001, 1, 4, 'b1b2b3'],
      [9, 0x01000002, 1, 4, 'c1c2c3'],
    ],
  },
  {
    name: 'extended difference; type-3 chunks carry the absolute time',
    bytes: `02 000000 000004 01 00000000 00000002
      04 000001 000001 09 01000000 aa  44 ffffff 000003 09 01000000 b1b2  c4 01000001 b3`,
    messages: [
      [1, 0, 0, 2, '00000002'],
      [9, 1, 1, 4, 'aa'],
      [9, 0x01000001, 1, 4, 'b1b2b3'],
    ],
  },
  {
    name: 'an extended timestamp that would not have needed to be one',
    bytes: '04 ffffff 000001 09 01000000 00000005 aa  c4 00000005 bb',
    messages: [
      [9, 5, 1, 4, 'aa'],
      [9, 10, 1, 4, 'bb'],
    ],
  },
  {
    name: 'time running over 2^32',
    bytes: '04 ffffff 000001 09 01000000 fffffff0 aa  44 000020 000001 09 bb',
    messages: [
      [9, 0xfffffff0, 1, 4, 'aa'],
      [9, 0x10, 1, 4, 'bb'],
    ],
  },
  {
    name: 'a chunk stream that opens with format 1 (librtmp does)',
    bytes: '42 000003 000006 04 0007 00000001',
    messages: [[4, 3, 0, 2, '000700000001']],
  },
];

const plain = (message: RtmpMessage): Row => {
  const { type, timestamp, streamId, chunkStreamId, payload } = message;
  return [type, timestamp, streamId, chunkStreamId, payload.toString('hex')];
};

function readAll(chunks: Iterable<Buffer>, reader = new ChunkReader()): RtmpMessage[] {
  return Array.from(chunks).flatMap((chunk) => reader.feed(chunk));
}

describe('ChunkReader', () => {
  for (const { name, bytes, messages } of rows) {
    it(`reads: ${name}`, () => {
      for (const { name: cut, chunks } of everyCut(hex(bytes))) {
        const reader = new ChunkReader();
        assert.deepEqual(readAll(chunks, reader).map(plain), messages, cut);
        assert.equal(reader.heldBytes, 0, cut);
      }
    });
  }

  for (const name of ['av', 'chunk-128', 'hevc', 'two-streams']) {
    it(`reads the golden recording ${name}`, () => {
      const bytes = readFileSync(`spec/golden/data/${name}/expected.1.rtmp`);
      const expected = parseRtmp(bytes).map(({ type, timestamp, streamId, chunkStream, payload }): Row => [
        type,
        timestamp,
        streamId,
        chunkStream,
        payload.toString('hex'),
      ]);
      for (const size of [1, 127, 4096, bytes.length]) {
        assert.deepEqual(readAll(pieces(bytes, size)).map(plain), expected, `in pieces of ${size}`);
      }
    });
  }

  const bad: { name: string; bytes: string; code: string; options?: object }[] = [
    { name: 'format 2 on a new chunk stream', bytes: '84 000000', code: 'rtmp_bad_chunk' },
    { name: 'format 3 on a new chunk stream', bytes: 'c4', code: 'rtmp_bad_chunk' },
    {
      name: 'format 0 within a message',
      bytes: `02 000000 000004 01 00000000 00000002 04 000000 000004 09 01000000 a1a2 04 000000 000004 09 01000000`,
      code: 'rtmp_bad_chunk',
    },
    { name: 'chunk size 0', bytes: '02 000000 000004 01 00000000 80000000', code: 'rtmp_bad_chunk' },
    { name: 'Set Chunk Size of 3 bytes', bytes: '02 000000 000003 01 00000000 000000', code: 'rtmp_bad_message' },
    { name: 'Abort of no bytes', bytes: '02 000000 000000 02 00000000', code: 'rtmp_bad_message' },
    {
      name: 'a message over the limit, by its header alone',
      bytes: '04 000000 000101 09 01000000',
      code: 'rtmp_message_too_big',
      options: { maxMessageSize: 256 },
    },
    {
      name: 'too many chunk streams',
      bytes: '04 000000 000000 09 01000000 05 000000 000000 09 01000000 06 000000 000000 09 01000000',
      code: 'rtmp_too_many_chunk_streams',
      options: { maxStreams: 2 },
    },
  ];
  for (const { name, bytes, code, options } of bad) {
    it(`refuses: ${name}`, () => {
      for (const { name: cut, chunks } of everyCut(hex(bytes))) {
        const reader = new ChunkReader(options);
        assert.throws(
          () => {
            readAll(chunks, reader);
            reader.feed(Buffer.of(0));
          },
          { name: 'RtmpError', code },
          cut,
        );
        assert.equal((reader.failure as RtmpError).code, code);
        assert.throws(() => reader.feed(Buffer.of(0)), { code }, 'and stays that way');
        assert.equal(reader.heldBytes, 0);
      }
    });
  }

  it('returns what was complete before the fault', () => {
    const reader = new ChunkReader();
    const messages = reader.feed(hex('04 000010 000001 09 01000000 aa  c9'));
    assert.equal(messages.length, 1);
    assert.equal(reader.failure?.code, 'rtmp_bad_chunk');
  });

  it('holds what came, not what is claimed', () => {
    const reader = new ChunkReader({ maxStreams: 5000 });
    const head = (id: number) => concat(hex('01'), Buffer.of(id & 255, id >> 8), hex('000000 ffffff 09 01000000'));
    for (let id = 0; id < 4000; id++) reader.feed(concat(head(id), Buffer.alloc(128)));
    assert.ok(reader.heldBytes >= 4000 * 128, 'every begun message counts');
    assert.ok(reader.heldBytes <= 4000 * 256, `${reader.heldBytes} bytes held`);
  });

  it('counts held bytes, up to their limit', () => {
    const reader = new ChunkReader({ chunkSize: 1000, maxHeldBytes: 3500 });
    const begun = (id: number) => concat(Buffer.of(id), hex('000000 000800 09 01000000'), Buffer.alloc(1000));
    reader.feed(begun(4));
    reader.feed(begun(5));
    assert.equal(reader.heldBytes, 2000);
    reader.feed(concat(Buffer.of(0xc4), Buffer.alloc(1000), Buffer.of(0xc4), Buffer.alloc(48)));
    assert.equal(reader.heldBytes, 1000);
    reader.feed(begun(6));
    reader.feed(begun(7));
    assert.throws(() => reader.feed(begun(8)), { code: 'rtmp_too_much_held' });
    assert.equal(reader.heldBytes, 0);
  });

  it('refuses chunk sizes that cannot be', () => {
    for (const size of [0, -1, 1.5, NaN, 0x80000000]) {
      assert.throws(() => new ChunkReader().setChunkSize(size), { code: 'rtmp_bad_chunk' });
    }
  });

  it('takes a long message in small pieces without copying it over and over', () => {
    const size = 4_000_000;
    const reader = new ChunkReader({ chunkSize: 0xffffff });
    reader.feed(concat(hex('04 000000 3d0900 09 01000000')));
    let messages: RtmpMessage[] = [];
    for (let at = 0; at < size; at += 50) messages = reader.feed(Buffer.alloc(50, 7));
    assert.equal(messages[0]?.payload.length, size);
    assert.ok(messages[0]?.payload.every((byte) => byte === 7));
  });

  it('takes any bytes, cut any way: messages or a clear error, and the same ones', () => {
    const limits = { maxMessageSize: 100_000, maxHeldBytes: 200_000, maxStreams: 8 };
    const outcome = (chunks: Iterable<Buffer>) => {
      const reader = new ChunkReader(limits);
      const messages: Row[] = [];
      for (const chunk of chunks) {
        try {
          messages.push(...reader.feed(chunk).map(plain));
        } catch (error) {
          assert.ok(error instanceof RtmpError);
          break;
        }
        assert.ok(reader.heldBytes <= 200_018);
      }
      return { messages, code: reader.failure?.code };
    };
    // Bytes that are likely to be headers, between any others.
    const likely = fc.constantFrom(
      '04000010000003090100',
      '000000',
      'c4',
      '44000001000002',
      '84ffffff',
      '00000001',
      'c2',
    );
    const some = fc.oneof(
      likely.map((text) => hex(text)),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(some, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }), (parts, size) => {
        const bytes = concat(...parts);
        assert.deepEqual(outcome(pieces(bytes, size)), outcome([bytes]));
      }),
      { numRuns: 2000 },
    );
  });
});
