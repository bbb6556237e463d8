import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { AudioInfo, VideoInfo } from '../../lib/media/media-info.js';
import { metadataBody, onFiBody } from '../../lib/rtmp/metadata.js';
import { parseAmf } from '../support/rtmp/rtmp-parse.js';

const video: VideoInfo = {
  mediaType: 'video',
  codecId: 7,
  timescale: 90000,
  bitrate: 2_500_500,
  extraData: Buffer.alloc(0),
  width: 1920,
  height: 1080,
  frameRateNum: 30000,
  frameRateDenom: 1001,
  ceaCaptions: 0,
};
const audio: AudioInfo = {
  mediaType: 'audio',
  codecId: 1010,
  timescale: 90000,
  bitrate: 128_000,
  extraData: Buffer.alloc(0),
  channels: 2,
  bitsPerSample: 16,
  sampleRate: 44100,
  channelLayout: 3n,
};
const videoFields = { width: 1920, height: 1080, videodatarate: 2500.5, framerate: 30000 / 1001, videocodecid: 7 };
const audioFields = {
  audiodatarate: 128,
  audiosamplerate: 44100,
  audiosamplesize: 16,
  stereo: true,
  audiocodecid: 10,
};

describe('the metadata of a stream', () => {
  it('has the fields of both tracks, in this order', () => {
    const [event, name, fields] = parseAmf(metadataBody('@onMetaData', video, audio));
    assert.deepEqual([event, name], ['@setDataFrame', '@onMetaData']);
    assert.deepEqual(Object.entries(fields ?? {}), Object.entries({ ...videoFields, ...audioFields }));
  });

  it('has those of the tracks that are there', () => {
    assert.deepEqual(parseAmf(metadataBody('onMetaData', video, undefined)), [
      '@setDataFrame',
      'onMetaData',
      videoFields,
    ]);
    assert.deepEqual(parseAmf(metadataBody('x', undefined, audio)), ['@setDataFrame', 'x', audioFields]);
  });

  it('is an ECMA array that says how many fields it has', () => {
    // Behind "@setDataFrame" (3 + 13 bytes) and "x" (3 + 1).
    assert.equal(metadataBody('x', video, audio).toString('hex', 20, 25), '080000000a');
  });

  const one = (info: Partial<VideoInfo>): unknown => parseAmf(metadataBody('x', { ...video, ...info }, undefined))[2];
  const other = (info: Partial<AudioInfo>): unknown => parseAmf(metadataBody('x', undefined, { ...audio, ...info }))[2];

  it('says 0 for a frame rate that is none', () => {
    assert.deepEqual(one({ frameRateDenom: 0 }), { ...videoFields, framerate: 0 });
  });

  it('calls mono what has one channel', () => {
    assert.deepEqual(other({ channels: 1 }), { ...audioFields, stereo: false });
    assert.deepEqual(other({ channels: 6 }), { ...audioFields, stereo: true });
  });

  /**
   * docs/protocol/enhanced-rtmp.md, Metadata fields: the FourCC as a big-endian number; H.265 as the golden recording
   * has it.
   */
  it('names codecs by their FLV id or their FourCC', () => {
    assert.deepEqual(one({ codecId: 8 }), { ...videoFields, videocodecid: 8 });
    for (const [codecId, audiocodecid] of [
      [1002, 2],
      [1010, 10],
      [1018, 1332770163],
      [1016, 0x61632d33],
      [1017, 0x65632d33],
    ] as const) {
      assert.deepEqual(other({ codecId }), { ...audioFields, audiocodecid });
    }
  });
});

describe('the body of the metadata with kmp_rtmp_out_enhanced on', () => {
  it('names H.265 by its FourCC too', () => {
    const body = metadataBody('x', { ...video, codecId: 8 }, audio, true);
    assert.deepEqual(parseAmf(body)[2], { ...videoFields, videocodecid: 1752589105, ...audioFields });
  });

  it('names H.264 by its FLV id, since it goes in the classic form', () => {
    assert.deepEqual(parseAmf(metadataBody('x', video, undefined, true))[2], videoFields);
  });
});

describe('onFI', () => {
  const rows: readonly [ms: number, sd: string, st: string][] = [
    [Date.UTC(2024, 0, 2, 3, 4, 5, 6), '02-01-2024', '03:04:05.006'],
    [Date.UTC(1999, 11, 31, 23, 59, 59, 999), '31-12-1999', '23:59:59.999'],
    [Date.UTC(2000, 0, 1), '01-01-2000', '00:00:00.000'],
    [Date.UTC(2024, 1, 29, 12), '29-02-2024', '12:00:00.000'],
    [0, '01-01-1970', '00:00:00.000'],
    [Date.UTC(9999, 11, 31, 23, 59, 59, 999), '31-12-9999', '23:59:59.999'],
    [Date.UTC(10000, 0, 1), '01-01-10000', '00:00:00.000'],
    [Date.UTC(-1, 5, 7), '07-06-00-1', '00:00:00.000'],
    [9e15, '01-01-1970', '00:00:00.000'],
    [NaN, '01-01-1970', '00:00:00.000'],
  ];
  for (const [ms, sd, st] of rows) {
    it(`at ${ms} is ${sd} ${st}, in UTC`, () => assert.deepEqual(parseAmf(onFiBody(ms)), ['onFI', { sd, st }]));
  }
});
