import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { AudioInfo, VideoInfo } from '../../lib/media/media-info.js';
import { isSupported, sequenceHeader, soundByte, TagHead } from '../../lib/rtmp/media-tags.js';
import { hex } from '../support/values/bytes.js';

const extraData = hex('01 64 00 1f');
const video = (codecId: number): VideoInfo => ({
  ...{ mediaType: 'video', codecId, timescale: 90000, bitrate: 0, extraData },
  ...{ width: 0, height: 0, frameRateNum: 0, frameRateDenom: 0, ceaCaptions: 0 },
});
const audio = (codecId: number, more: Partial<AudioInfo> = {}): AudioInfo => ({
  ...{ mediaType: 'audio', codecId, timescale: 90000, bitrate: 0, extraData },
  ...{ channels: 2, bitsPerSample: 16, sampleRate: 44100, channelLayout: 3n },
  ...more,
});

/** docs/protocol/rtmp.md, Frames; docs/protocol/enhanced-rtmp.md, Video messages for those with a FourCC. */
const rows = [
  ['H.264', video(7), 9, '17 00 000000 0164001f', '17 01 000000', '27 01 000000'],
  ['H.265', video(8), 9, '90 68766331 0164001f', '91 68766331 000000', 'a1 68766331 000000'],
  ['AAC', audio(1010), 8, 'af 00 0164001f', 'af 01', 'af 01'],
  ['MP3', audio(1002), 8, undefined, '2f', '2f'],
  ['AC-3', audio(1016), 8, undefined, '91 61632d33', '91 61632d33'],
  ['E-AC-3', audio(1017), 8, undefined, '91 65632d33', '91 65632d33'],
  ['Opus', audio(1018), 8, '90 4f707573 0164001f', '91 4f707573', '91 4f707573'],
  ['Opus without its head', audio(1018, { extraData: Buffer.alloc(0) }), 8, undefined, '91 4f707573', '91 4f707573'],
] as const;

const headOf = (head: TagHead): string => Buffer.from(head.bytes.subarray(0, head.size)).toString('hex');
const digits = (row: string): string => hex(row).toString('hex');

describe('tags', () => {
  for (const [name, info, type, start, key, inter] of rows) {
    it(`of ${name}`, () => {
      const header = sequenceHeader(info);
      assert.equal(header?.toString('hex'), start === undefined ? undefined : digits(start));
      const head = new TagHead(info);
      assert.equal(head.type, type);
      head.set(true, 0);
      assert.equal(headOf(head), digits(key));
      head.set(false, 0);
      assert.equal(headOf(head), digits(inter));
    });
  }

  for (const [cts, bytes] of [
    [80, '000050'],
    [0x123456, '123456'],
    [-1, 'ffffff'],
    [-40, 'ffffd8'],
    [-8388608, '800000'],
  ] as const) {
    it(`carry composition time ${cts}`, () => {
      const avc = new TagHead(video(7));
      avc.set(true, cts);
      assert.equal(headOf(avc), `1701${bytes}`);
      const hevc = new TagHead(video(8));
      hevc.set(false, cts);
      assert.equal(headOf(hevc), `a168766331${bytes}`);
      const aac = new TagHead(audio(1010));
      aac.set(true, cts);
      assert.equal(headOf(aac), 'af01');
    });
  }
});

describe('the sound byte', () => {
  for (const [more, byte] of [
    [{ sampleRate: 8000 }, 0x23],
    [{ sampleRate: 5512 }, 0x23],
    [{ sampleRate: 8001 }, 0x27],
    [{ sampleRate: 11025 }, 0x27],
    [{ sampleRate: 16000 }, 0x27],
    [{ sampleRate: 22050 }, 0x2b],
    [{ sampleRate: 32000 }, 0x2b],
    [{ sampleRate: 44100 }, 0x2f],
    [{ sampleRate: 48000 }, 0x2f],
    [{ bitsPerSample: 8 }, 0x2d],
    [{ bitsPerSample: 24 }, 0x2f],
    [{ bitsPerSample: 0 }, 0x2f],
    [{ channels: 1 }, 0x2e],
    [{ channels: 6 }, 0x2f],
    [{ channels: 0 }, 0x2f],
  ] as const) {
    it(`of ${JSON.stringify(more)}`, () => assert.equal(soundByte(audio(1002, more)), byte));
  }
});

describe('codecs', () => {
  it('are supported as the kind of media that they are', () => {
    for (const id of [7, 8]) assert.deepEqual([isSupported('video', id), isSupported('audio', id)], [true, false]);
    for (const id of [1002, 1010, 1016, 1017, 1018])
      assert.deepEqual([isSupported('video', id), isSupported('audio', id)], [false, true]);
    for (const id of [0, 9, 12, 1000, 1011, 0xffffffff]) {
      assert.deepEqual([isSupported('video', id), isSupported('audio', id)], [false, false]);
    }
  });
});
