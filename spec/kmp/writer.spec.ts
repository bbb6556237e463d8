import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { KmpError } from '../../lib/kmp/error.js';
import * as writer from '../../lib/kmp/writer.js';
import { Frame } from '../../lib/media/frame.js';
import { hex } from '../support/values/bytes.js';

const rows: { name: string; bytes: Buffer; hex: string }[] = [
  {
    name: 'cnct',
    bytes: writer.writeConnect({
      channelId: 'ch1',
      trackId: 'v1',
      initialFrameId: 0x0102030405060708n,
      initialUpstreamFrameId: 17n,
      initialOffset: 5,
      flags: 1,
      data: '{"ü":1}',
    }),
    hex: `636e6374 68000000 08000000 00000000
      63683100 00000000 00000000 00000000 00000000 00000000 00000000 00000000
      76310000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
      0807060504030201 1100000000000000 05000000 01000000  7b22c3bc223a317d`,
  },
  {
    name: 'cnct with nothing but ids of 32 bytes',
    bytes: writer.writeConnect({ channelId: 'c'.repeat(32), trackId: 't'.repeat(32), data: Buffer.alloc(0) }),
    hex: `636e6374 68000000 00000000 00000000 ${'63'.repeat(32)} ${'74'.repeat(32)} ${'00'.repeat(24)}`,
  },
  {
    name: 'minf of a video track',
    bytes: writer.writeMediaInfo({
      mediaType: 'video',
      codecId: 7,
      timescale: 90000,
      bitrate: 2500000,
      width: 1280,
      height: 720,
      frameRateNum: 30000,
      frameRateDenom: 1001,
      ceaCaptions: 1,
      extraData: hex('01640d'),
    }),
    hex: `6d696e66 30000000 03000000 00000000
      00000000 07000000 905f0100 a0252600 0005 d002 30750000 e9030000 01000000  01640d`,
  },
  {
    name: 'minf of an audio track',
    bytes: writer.writeMediaInfo({
      mediaType: 'audio',
      codecId: 1010,
      timescale: 48000,
      bitrate: 128000,
      channels: 2,
      bitsPerSample: 16,
      sampleRate: 48000,
      channelLayout: 0x8000000003n,
      extraData: hex('1190'),
    }),
    hex: `6d696e66 30000000 02000000 00000000
      01000000 f2030000 80bb0000 00f40100 0200 1000 80bb0000 0300000080000000  1190`,
  },
  {
    name: 'the header of a frame, of a Frame itself',
    bytes: writer.writeFrameHeader(new Frame(142005312000000, 4176, 1, 6030, 4, [])),
    hex: '6672616d 28000000 04000000 00000000 00902d3027810000 5010000000000000 01000000 8e170000',
  },
  {
    name: 'a frame with negative times',
    bytes: writer.writeFrame({ created: -1, dts: -4294967296, flags: 0, ptsDelay: -4 }, hex('aa')),
    hex: '6672616d 28000000 01000000 00000000 ffffffffffffffff 00000000ffffffff 00000000 fcffffff aa',
  },
  {
    name: 'a frame at the ends of what a double holds exactly',
    bytes: writer.writeFrame(
      { created: Number.MAX_SAFE_INTEGER, dts: Number.MIN_SAFE_INTEGER, flags: 0xffffffff, ptsDelay: 0x7fffffff },
      hex(''),
    ),
    hex: '6672616d 28000000 00000000 00000000 ffffffffffff1f00 010000000000e0ff ffffffff ffffff7f',
  },
  { name: 'null', bytes: writer.writeNull(), hex: '6e756c6c 10000000 00000000 00000000' },
  { name: 'eost', bytes: writer.writeEnd(), hex: '656f7374 10000000 00000000 00000000' },
  {
    name: 'ackf',
    bytes: writer.writeAck(0x0102030405060708n),
    hex: '61636b66 28000000 00000000 00000000 0807060504030201 0000000000000000 00000000 00000000',
  },
  {
    name: 'ackf with all its fields',
    bytes: writer.writeAck(1n, 0xffff_ffff_ffff_fffen, 9),
    hex: '61636b66 28000000 00000000 00000000 0100000000000000 feffffffffffffff 09000000 00000000',
  },
];

describe('KMP writer', () => {
  for (const row of rows) {
    it(`writes ${row.name}`, () => assert.deepEqual(row.bytes.toString('hex'), hex(row.hex).toString('hex')));
  }

  it('refuses ids of more than 32 bytes, and frames of more than 16 MiB', () => {
    const track = { channelId: 'ch', trackId: 'ü'.repeat(17), data: '{}' };
    assert.throws(
      () => writer.writeConnect(track),
      (error) => error instanceof KmpError && error.code === 'kmp_bad_id' && /track_id.*32 bytes/.test(error.message),
    );
    assert.throws(
      () => writer.writeFrameHeader(new Frame(0, 0, 0, 0, 16 * 1024 * 1024 + 1, [])),
      (error) => error instanceof KmpError && error.code === 'kmp_bad_data_size',
    );
  });
});
