import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Frame } from '../../lib/media/frame.js';
import { KmpParser } from '../../lib/kmp/parser.js';
import { concat, hex } from '../support/values/bytes.js';
import { everyCut } from '../support/values/cuts.js';
import * as kmp from '../support/kmp/kmp-bytes.js';
import { plain } from './plain.js';

const channel = '63683100 00000000 00000000 00000000 00000000 00000000 00000000 00000000'; // ch1
const track = '76310000 00000000 00000000 00000000 00000000 00000000 00000000 00000000'; // v1

const connectBytes = hex(`
  636e6374 68000000 02000000 00000000  ${channel} ${track}
  0807060504030201 1100000000000000 05000000 01000000  7b7d`);
const connectPacket = {
  kind: 'connect',
  channelId: 'ch1',
  trackId: 'v1',
  initialFrameId: 0x0102030405060708n,
  initialUpstreamFrameId: 0x11n,
  initialOffset: 5,
  flags: 1,
  data: '{}',
};

/**
 * Rows: bytes by hand (docs/protocol/kmp.md, Packet types), and what they say. Each follows the connect packet above.
 */
const rows: { name: string; bytes: Buffer; packets: object[] }[] = [
  { name: 'connect alone', bytes: hex(''), packets: [] },
  {
    name: 'video media info',
    bytes: hex(`6d696e66 30000000 03000000 00000000
      00000000 07000000 905f0100 a0252600 0005 d002 30750000 e9030000 01000000  01640d`),
    packets: [
      {
        mediaType: 'video',
        codecId: 7,
        timescale: 90000,
        bitrate: 2500000,
        width: 1280,
        height: 720,
        frameRateNum: 30000,
        frameRateDenom: 1001,
        ceaCaptions: 1,
        extraData: '01640d',
      },
    ],
  },
  {
    name: 'audio media info, channel layout above 2^32',
    bytes: hex(`6d696e66 30000000 02000000 00000000
      01000000 f2030000 80bb0000 00f40100 0200 1000 80bb0000 0300000080000000  1190`),
    packets: [
      {
        mediaType: 'audio',
        codecId: 1010,
        timescale: 48000,
        bitrate: 128000,
        channels: 2,
        bitsPerSample: 16,
        sampleRate: 48000,
        channelLayout: 0x8000000003n,
        extraData: '1190',
      },
    ],
  },
  {
    name: 'a codec that no one knows, and no private data',
    bytes: hex(`6d696e66 30000000 00000000 00000000
      01000000 0f270000 01000000 00000000 0100 0800 401f0000 0000000000000000`),
    packets: [
      {
        mediaType: 'audio',
        codecId: 9999,
        timescale: 1,
        bitrate: 0,
        channels: 1,
        bitsPerSample: 8,
        sampleRate: 8000,
        channelLayout: 0n,
        extraData: '',
      },
    ],
  },
  {
    name: 'a key frame, as recorded from a real sender',
    bytes: hex(`6672616d 28000000 04000000 00000000
      00902d3027810000 5010000000000000 01000000 8e170000  000000 09`),
    packets: [
      {
        kind: 'frame',
        created: 142005312000000,
        dts: 4176,
        flags: 1,
        ptsDelay: 6030,
        size: 4,
        payload: '00000009',
      },
    ],
  },
  {
    name: 'negative times',
    bytes: hex(`6672616d 28000000 01000000 00000000
      ffffffffffffffff 00000000ffffffff 00000000 fcffffff  aa`),
    packets: [{ kind: 'frame', created: -1, dts: -4294967296, flags: 0, ptsDelay: -4, size: 1, payload: 'aa' }],
  },
  {
    name: 'times at the ends of what a double holds exactly, and of i64',
    bytes: hex(`6672616d 28000000 00000000 00000000
      ffffffffffff1f00 010000000000e0ff ffffffff ffffff7f
      6672616d 28000000 00000000 00000000
      ffffffffffffff7f 0000000000000080 00000000 00000080`),
    packets: [
      {
        kind: 'frame',
        created: Number.MAX_SAFE_INTEGER,
        dts: Number.MIN_SAFE_INTEGER,
        flags: 0xffffffff,
        ptsDelay: 0x7fffffff,
        size: 0,
        payload: '',
      },
      { kind: 'frame', created: 2 ** 63, dts: -(2 ** 63), flags: 0, ptsDelay: -0x80000000, size: 0, payload: '' },
    ],
  },
  {
    name: 'keep-alives, one with data that would be a packet',
    bytes: concat(hex('6e756c6c 10000000 00000000 00000000'), kmp.packet('null', undefined, kmp.end)),
    packets: [{ kind: 'null' }, { kind: 'null' }],
  },
  {
    name: 'headers longer than their fields',
    bytes: concat(
      kmp.packet('minf', concat(kmp.audioFields(), hex('ff'.repeat(7))), hex('1210')),
      kmp.packet('fram', concat(kmp.frameFields(1, 2, 1, 3), hex('ee'.repeat(100))), hex('abcd')),
      kmp.packet('null', hex('dd')),
      kmp.packet('eost', hex('cc'.repeat(30)), hex('bb')),
    ),
    packets: [
      {
        mediaType: 'audio',
        codecId: 1010,
        timescale: 90000,
        bitrate: 128000,
        channels: 2,
        bitsPerSample: 16,
        sampleRate: 44100,
        channelLayout: 3n,
        extraData: '1210',
      },
      { kind: 'frame', created: 1, dts: 2, flags: 1, ptsDelay: 3, size: 2, payload: 'abcd' },
      { kind: 'null' },
      { kind: 'end' },
    ],
  },
  {
    name: 'end of the track, and what comes behind it',
    bytes: concat(hex('656f7374 10000000 00000000 00000000'), kmp.frame('x'), hex('ffffffffffffffffffffffffffffffff')),
    packets: [{ kind: 'end' }],
  },
];

describe('KMP parser', () => {
  for (const { name, bytes, packets } of rows) {
    it(`reads ${name}, however it is cut`, () => {
      const input = concat(connectBytes, bytes);
      for (const cut of everyCut(input)) {
        const parser = new KmpParser();
        const read = cut.chunks.flatMap((chunk) => parser.feed(chunk)).map(plain);
        assert.deepEqual(read, [connectPacket, ...packets], cut.name);
        assert.equal(parser.error, undefined);
        assert.equal(parser.heldBytes, 0, cut.name);
        assert.equal(parser.unfinished, undefined, cut.name);
        assert.equal(parser.bytesReceived, input.length);
      }
    });
  }

  it('reads ids up to the first NUL, or all of their 32 bytes', () => {
    const id = 'x'.repeat(32);
    const bytes = concat(kmp.connect('{}', id, 'v\0junk'));
    const [packet] = new KmpParser().feed(bytes);
    assert(packet !== undefined && !(packet instanceof Frame) && packet.kind === 'connect');
    assert.deepEqual([packet.channelId, packet.trackId], [id, 'v']);
  });

  it('skips the longest header without holding any of it', () => {
    const extra = Buffer.alloc(65536 - 40, 0xee);
    const bytes = kmp.packet('fram', concat(kmp.frameFields(0, 7), extra), hex('0102'));
    const parser = new KmpParser({ connectRequired: false });
    for (let at = 0; at < bytes.length - 2; at += 1000) {
      assert.deepEqual(parser.feed(bytes.subarray(at, Math.min(at + 1000, bytes.length - 2))), []);
      assert(parser.heldBytes < 40);
    }
    assert.deepEqual(parser.feed(bytes.subarray(-2)).map(plain), [
      { kind: 'frame', created: 0, dts: 7, flags: 0, ptsDelay: 0, size: 2, payload: '0102' },
    ]);
  });

  it('gives payloads as slices of what it was fed, one for each read', () => {
    const bytes = kmp.frame(Buffer.alloc(9000, 'payload'));
    const chunks = [bytes.subarray(0, 3000), bytes.subarray(3000, 6000), bytes.subarray(6000)].map((part) =>
      Buffer.from(part),
    );
    const parser = new KmpParser({ connectRequired: false });
    const [frame] = chunks.flatMap((chunk) => parser.feed(chunk));
    assert(frame instanceof Frame);
    assert.deepEqual(
      frame.parts.map((part) => part.buffer),
      chunks.map((chunk) => chunk.buffer),
    );
    assert.deepEqual(frame.payload(), Buffer.alloc(9000, 'payload'));
  });

  it('copies what lives long: connect data and private data', () => {
    const input = concat(kmp.connect('{"a":1}'), kmp.packet('minf', kmp.videoFields(), hex('0164')));
    const packets = new KmpParser().feed(input);
    input.fill(0);
    assert.deepEqual(
      packets.map((packet) => {
        assert(!(packet instanceof Frame));
        if (packet.kind === 'connect') return packet.data.toString();
        return packet.kind === 'mediaInfo' ? packet.info.extraData.toString('hex') : '';
      }),
      ['{"a":1}', '0164'],
    );
  });

  it('says which part of a packet has come when the input stops within it', () => {
    const parser = new KmpParser();
    parser.feed(concat(connectBytes, kmp.frame('0123456789').subarray(0, 10)));
    assert.deepEqual(parser.unfinished, { offset: 106, packetType: '', received: 10, expected: 16 });
    parser.feed(kmp.frame('0123456789').subarray(10, 45));
    assert.deepEqual(parser.unfinished, { offset: 106, packetType: 'fram', received: 45, expected: 50 });
    assert.equal(parser.heldBytes, 5);
  });
});
