import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { AckParser } from '../../lib/kmp/ack-parser.js';
import { KmpError } from '../../lib/kmp/error.js';
import { ascii, concat, hex, u32le, u64le } from '../support/values/bytes.js';
import { everyCut } from '../support/values/cuts.js';
import { packet } from '../support/kmp/kmp-bytes.js';

function ack(frameId: bigint, more: Buffer = Buffer.alloc(0), data?: Buffer): Buffer {
  return packet('ackf', concat(u64le(frameId), u64le(2n), u32le(3), u32le(0), more), data);
}

describe('KMP ack parser', () => {
  it('reads acks, however they are cut', () => {
    const bytes = concat(
      hex('61636b66 28000000 00000000 00000000 0807060504030201 1100000000000000 05000000 00000000'),
      ack(7n, hex('ffffffff'), ascii('data that no one asked for')),
      ack(0xffff_ffff_ffff_fffen),
    );
    for (const { name, chunks } of everyCut(bytes)) {
      const parser = new AckParser();
      const acks = chunks.flatMap((chunk) => parser.feed(chunk));
      assert.deepEqual(
        acks,
        [
          { frameId: 0x0102030405060708n, upstreamFrameId: 17n, offset: 5 },
          { frameId: 7n, upstreamFrameId: 2n, offset: 3 },
          { frameId: 0xffff_ffff_ffff_fffen, upstreamFrameId: 2n, offset: 3 },
        ],
        name,
      );
    }
  });

  const rows: [name: string, bytes: Buffer, code: string, message: RegExp][] = [
    ['a packet that only senders send', packet('eost', Buffer.alloc(24)), 'kmp_wrong_direction', /"eost".*but ackf/],
    ['another protocol', ascii('HTTP/1.1 400 Bad Request\r\nContent-Length: 0'), 'kmp_wrong_direction', /"HTTP"/],
    [
      'a header that is too short',
      packet('ackf', Buffer.alloc(24), undefined, { headerSize: 36 }),
      'kmp_bad_header_size',
      /header_size is 36/,
    ],
    [
      'data above 16 MiB',
      packet('ackf', Buffer.alloc(24), undefined, { dataSize: 0x7fffffff }),
      'kmp_bad_data_size',
      /data_size is 2147483647/,
    ],
  ];
  for (const [name, bytes, code, message] of rows) {
    it(`refuses ${name}, and all that follows`, () => {
      const parser = new AckParser();
      parser.feed(ack(1n));
      const refused = (error: unknown): boolean =>
        error instanceof KmpError && error.code === code && error.offset === 40 && message.test(error.message);
      assert.throws(() => parser.feed(bytes), refused);
      assert.throws(() => parser.feed(ack(1n)), refused);
    });
  }
});
