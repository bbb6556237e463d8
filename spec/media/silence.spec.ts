import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { silentFrame } from '../../lib/media/silence.js';
import { Codec } from '../../lib/media/codec.js';
import type { AudioInfo } from '../../lib/media/media-info.js';

function audio(codecId: number, extraData: string, channels = 2): AudioInfo {
  const common = { codecId, timescale: 90000, bitrate: 0, extraData: Buffer.from(extraData, 'hex') };
  return { mediaType: 'audio', ...common, channels, bitsPerSample: 16, sampleRate: 44100, channelLayout: 3n };
}
const frame = (info: AudioInfo): unknown[] | undefined => {
  const silent = silentFrame(info);
  return silent && [silent.data.toString('hex'), silent.samples, silent.sampleRate];
};

/**
 * Bits by hand (ISO/IEC 14496-3, 4.4.2). Mono: 000 0000, then 22 zeros, 111. Stereo: 001 0000 1, then 35 zeros, 111.
 * That ffmpeg decodes them to silence is in spec/external/slate.spec.ts.
 */
describe('frames of silence', () => {
  it('AAC-LC, mono, at 44.1 kHz', () => {
    assert.deepEqual(frame(audio(Codec.AAC, '1208')), ['00000007', 1024, 44100]);
  });

  it('AAC-LC, stereo, at 48 kHz', () => {
    assert.deepEqual(frame(audio(Codec.AAC, '1190')), ['21000000001c', 1024, 48000]);
  });

  it('AAC-LC, 5.1: one channel, two pairs, and low frequencies', () => {
    // 000 0000, 22 zeros; 001 0000 1, 35 zeros; 001 0001 1, 35 zeros; 011 0000, 22 zeros; 111
    const bits = `${'0'.repeat(29)}00100001${'0'.repeat(35)}00100011${'0'.repeat(35)}0110000${'0'.repeat(22)}111`;
    const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
    const bytes = (padded.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2));
    assert.deepEqual(frame(audio(Codec.AAC, '11b0', 6)), [Buffer.from(bytes).toString('hex'), 1024, 48000]);
  });

  it('frames of 960 samples', () => {
    assert.deepEqual(frame(audio(Codec.AAC, '1194')), ['21000000001c', 960, 48000]);
  });

  it('a rate that is written out', () => {
    // 00010 1111, 24 bits of 37800, 0001, 000
    assert.deepEqual(frame(audio(Codec.AAC, '178049d408')), ['00000007', 1024, 37800]);
  });

  it('HE-AAC: those of its core, at half the rate', () => {
    // 00101 0110 0010 0011 00010 000: SBR, core at 24 kHz, stereo, extension at 48 kHz, LC
    assert.deepEqual(frame(audio(Codec.AAC, '2b1188 00'.replace(' ', ''))), ['21000000001c', 1024, 24000]);
  });

  it('Opus: a TOC of 20 ms, and the flag of silence', () => {
    assert.deepEqual(frame(audio(Codec.OPUS, '', 1)), ['f8fffe', 960, 48000]);
    assert.deepEqual(frame(audio(Codec.OPUS, '', 2)), ['fcfffe', 960, 48000]);
  });

  it('none for other media: MP3, AC-3, AAC Main, unusual channels, broken private data', () => {
    for (const codec of [Codec.MP3, Codec.AC3, Codec.EAC3]) assert.equal(frame(audio(codec, '')), undefined);
    for (const config of ['0a10', '1180', '', '11', 'f8', '1780'])
      assert.equal(frame(audio(Codec.AAC, config)), undefined, config);
    assert.equal(frame(audio(Codec.OPUS, '', 6)), undefined);
  });
});
