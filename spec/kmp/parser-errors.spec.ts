import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { KmpRtmpError } from '../../lib/base/errors.js';
import { KmpError } from '../../lib/kmp/error.js';
import { KmpParser } from '../../lib/kmp/parser.js';
import { ascii, concat, hex } from '../support/values/bytes.js';
import { everyCut } from '../support/values/cuts.js';
import * as kmp from '../support/kmp/kmp-bytes.js';
import { plain } from './plain.js';

interface Row {
  readonly name: string;
  /** What precedes the bad packet, and is read well. */
  readonly before: readonly Buffer[];
  readonly bad: Buffer;
  readonly code: string;
  readonly field: string;
  readonly value: number | bigint | string;
  readonly type: string;
  /** What the message has to say of what is allowed. */
  readonly allowed: RegExp;
}

const linked = [kmp.connect()];
const rows: Row[] = [
  {
    name: 'a type that is not known',
    before: [...linked, kmp.frame('good')],
    bad: kmp.packet('fraM'),
    code: 'kmp_unknown_type',
    field: 'type',
    value: '0x4d617266',
    type: 'fraM',
    allowed: /cnct, minf, fram, null and eost/,
  },
  {
    name: 'a type of no letters',
    before: linked,
    bad: hex('000a5cff' + '00'.repeat(12)),
    code: 'kmp_unknown_type',
    field: 'type',
    value: '0xff5c0a00',
    type: '\\x00\\x0a\\x5c\\xff',
    allowed: /cnct, minf, fram, null and eost$/,
  },
  {
    name: 'an HTTP request',
    before: [],
    bad: ascii('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    code: 'kmp_unknown_type',
    field: 'type',
    value: '0x20544547',
    type: 'GET ',
    allowed: /looks like an HTTP request/,
  },
  {
    name: 'a TLS handshake',
    before: [],
    bad: hex('16030100 f8010000 f40303aa aabbccdd'),
    code: 'kmp_unknown_type',
    field: 'type',
    value: '0x00010316',
    type: '\\x16\\x03\\x01\\x00',
    allowed: /looks like a TLS handshake/,
  },
  {
    name: 'an RTMP handshake',
    before: [],
    bad: hex('03000000 00000000 00112233 44556677'),
    code: 'kmp_unknown_type',
    field: 'type',
    value: '0x00000003',
    type: '\\x03\\x00\\x00\\x00',
    allowed: /looks like an RTMP handshake/,
  },
  {
    name: 'an ack from a sender',
    before: linked,
    bad: kmp.packet('ackf', Buffer.alloc(24)),
    code: 'kmp_wrong_direction',
    field: 'type',
    value: '0x666b6361',
    type: 'ackf',
    allowed: /from the server to the sender/,
  },
  {
    name: 'a first packet that is no connect',
    before: [],
    bad: kmp.packet('minf', kmp.videoFields()),
    code: 'kmp_connect_expected',
    field: 'type',
    value: 'minf',
    type: 'minf',
    allowed: /first packet of a connection must be cnct/,
  },
  {
    name: 'a second connect',
    before: [...linked, kmp.nullPacket],
    bad: kmp.connect(),
    code: 'kmp_second_connect',
    field: 'type',
    value: 'cnct',
    type: 'cnct',
    allowed: /only the first packet/,
  },
  {
    name: 'the frame id that is none',
    before: [],
    bad: kmp.connect('{}', 'ch', 'v', 0xffff_ffff_ffff_ffffn),
    code: 'kmp_bad_frame_id',
    field: 'initial_frame_id',
    value: 18446744073709551615n,
    type: 'cnct',
    allowed: /any id but 2\^64-1/,
  },
  {
    name: 'a header below 16 bytes',
    before: linked,
    bad: kmp.packet('null', undefined, undefined, { headerSize: 15 }),
    code: 'kmp_bad_header_size',
    field: 'header_size',
    value: 15,
    type: 'null',
    allowed: /16 to 65536 bytes/,
  },
  {
    name: 'a header above 64 KiB',
    before: linked,
    bad: kmp.packet('fram', undefined, undefined, { headerSize: 65537 }),
    code: 'kmp_bad_header_size',
    field: 'header_size',
    value: 65537,
    type: 'fram',
    allowed: /40 to 65536 bytes/,
  },
  {
    name: 'a header of 4 GiB',
    before: linked,
    bad: kmp.packet('eost', undefined, undefined, { headerSize: 0xffffffff }),
    code: 'kmp_bad_header_size',
    field: 'header_size',
    value: 0xffffffff,
    type: 'eost',
    allowed: /16 to 65536 bytes/,
  },
  {
    name: 'a connect header that is too short',
    before: [],
    bad: kmp.packet('cnct', undefined, undefined, { headerSize: 103 }),
    code: 'kmp_bad_header_size',
    field: 'header_size',
    value: 103,
    type: 'cnct',
    allowed: /104 to 65536 bytes/,
  },
  {
    name: 'a media info header that is too short',
    before: linked,
    bad: kmp.packet('minf', undefined, undefined, { headerSize: 47 }),
    code: 'kmp_bad_header_size',
    field: 'header_size',
    value: 47,
    type: 'minf',
    allowed: /48 to 65536 bytes/,
  },
  {
    name: 'a frame header that is too short',
    before: linked,
    bad: kmp.packet('fram', undefined, undefined, { headerSize: 39 }),
    code: 'kmp_bad_header_size',
    field: 'header_size',
    value: 39,
    type: 'fram',
    allowed: /40 to 65536 bytes/,
  },
  {
    name: 'data above 16 MiB',
    before: linked,
    bad: kmp.packet('fram', kmp.frameFields(0, 0), undefined, { dataSize: 16 * 1024 * 1024 + 1 }),
    code: 'kmp_bad_data_size',
    field: 'data_size',
    value: 16777217,
    type: 'fram',
    allowed: /at most 16777216 bytes/,
  },
  {
    name: 'subtitles',
    before: linked,
    bad: kmp.packet('minf', kmp.videoFields({ mediaType: 2 })),
    code: 'kmp_bad_media_type',
    field: 'media_type',
    value: 2,
    type: 'minf',
    allowed: /0 \(video\) and 1 \(audio\)/,
  },
  {
    name: 'a timescale of 0',
    before: [...linked, kmp.packet('minf', kmp.videoFields())],
    bad: kmp.packet('minf', kmp.videoFields({ timescale: 0 })),
    code: 'kmp_bad_timescale',
    field: 'timescale',
    value: 0,
    type: 'minf',
    allowed: /above 0, usually 90000/,
  },
];

describe('KMP parser, bad input', () => {
  for (const row of rows) {
    it(`refuses ${row.name}, after giving what came before it`, () => {
      const good = concat(...row.before);
      const input = concat(good, row.bad, kmp.frame('never read'));
      const expected = new KmpParser().feed(good).map(plain);
      for (const { name, chunks } of everyCut(input)) {
        const parser = new KmpParser();
        const packets: object[] = [];
        for (const chunk of chunks) {
          packets.push(...parser.feed(chunk).map(plain));
          if (parser.error !== undefined) break;
        }
        const { error } = parser;
        assert(error instanceof KmpError && error instanceof KmpRtmpError, name);
        const { code, field, value, packetType, offset } = error;
        assert.deepEqual(
          { code, field, value, packetType, offset },
          { code: row.code, field: row.field, value: row.value, packetType: row.type, offset: good.length },
          name,
        );
        for (const part of [row.field, String(row.value), `"${row.type}"`, `at byte ${good.length}`])
          assert(error.message.includes(part), `"${error.message}" does not say ${part}`);
        assert.match(error.message, row.allowed);
        assert.deepEqual(packets, expected, name);
        assert.throws(() => parser.feed(kmp.nullPacket), error);
      }
    });
  }

  it('takes a lower limit for data', () => {
    const parser = new KmpParser({ connectRequired: false, maxDataSize: 4 });
    assert.equal(parser.feed(kmp.frame('1234')).length, 1);
    assert.equal(parser.feed(kmp.frame('12345')).length, 0);
    assert.equal(parser.error?.code, 'kmp_bad_data_size');
    assert.match(parser.error.message, /data_size is 5; at most 4 bytes/);
  });

  it('finds a second connect in a dump that does not have to begin with one', () => {
    const parser = new KmpParser({ connectRequired: false });
    parser.feed(concat(kmp.nullPacket, kmp.connect()));
    assert.equal(parser.error?.code, 'kmp_second_connect');
  });
});
