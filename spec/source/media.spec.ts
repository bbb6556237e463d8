import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { codecName } from '../../lib/media/codec.js';
import { openSource } from '../../lib/source/open.js';
import type { SourceFrame, SourceTrack } from '../../lib/source/source.js';

const FOLDER = join('spec', 'fixtures', 'media');

/** As spec/fixtures/media/expect.mjs writes it, from ffprobe. */
interface Expected {
  streams: {
    index: number;
    type: string;
    codec: string;
    width?: number;
    height?: number;
    rate?: string;
    sampleRate?: number;
    channels?: number;
    extraData?: string;
  }[];
  packets: [stream: number, pts: number, dts: number | null, key: number, size: number, md5: string][];
}

const NAMES: Record<string, string> = {
  h264: 'H.264',
  hevc: 'H.265',
  aac: 'AAC',
  mp3: 'MP3',
  opus: 'Opus',
  ac3: 'AC-3',
  eac3: 'E-AC-3',
};
const md5 = (data: Buffer): string => createHash('md5').update(data).digest('hex');

async function all(track: SourceTrack): Promise<SourceFrame[]> {
  const frames: SourceFrame[] = [];
  for await (const frame of track.frames()) frames.push(frame);
  return frames;
}

/** `slack`: how far our time may be from ffprobe's, in 1/90000 s, where it counts in ms and we do not. */
const files: { name: string; slack: number }[] = [
  { name: 'h264-aac.mp4', slack: 0 },
  { name: 'fragmented.mp4', slack: 0 },
  { name: 'uneven.mp4', slack: 0 },
  { name: 'h264-ac3.mp4', slack: 0 },
  { name: 'h264-mp3.flv', slack: 0 },
  { name: 'eac3.mkv', slack: 0 },
  // Opus: ffprobe rounds the decoder's delay of 6.5 ms to 7.
  { name: 'hevc-opus.mkv', slack: 45 },
  // AAC: the frames of one PES packet share a time, and each side rounds on from there.
  { name: 'h264-aac.mpegts', slack: 3 },
];

describe('what openSource finds in a media file is what ffprobe finds', () => {
  for (const { name, slack } of files) {
    it(name, async () => {
      const expected = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Expected;
      const source = await openSource(join(FOLDER, name), { onWarning: (message) => assert.fail(message) });
      try {
        assert.equal(source.tracks.length, expected.streams.length);
        assert.equal(source.absolute, false);
        for (const track of source.tracks) {
          const { info } = track;
          const stream = expected.streams.find((one) => one.type === info.mediaType);
          assert.ok(stream !== undefined);
          assert.equal(codecName(info.codecId), NAMES[stream.codec]);
          assert.equal(info.timescale, 90000);
          if (info.mediaType === 'video') {
            assert.deepEqual([info.width, info.height], [stream.width, stream.height]);
            if (name !== 'uneven.mp4') assert.equal(`${info.frameRateNum}/${info.frameRateDenom}`, stream.rate);
          } else assert.deepEqual([info.sampleRate, info.channels], [stream.sampleRate, stream.channels]);
          // Of AC-3 and E-AC-3, ffprobe shows MP4's own description as extra data: KMP has none.
          if (stream.extraData !== undefined && stream.codec !== 'ac3' && stream.codec !== 'eac3')
            assert.equal(md5(info.extraData), stream.extraData);

          const frames = await all(track);
          const packets = expected.packets.filter(([index]) => index === stream.index);
          assert.equal(frames.length, packets.length);
          frames.forEach((frame, n) => {
            const [, pts, dts, key, size, hash] = packets[n] ?? [0, 0, 0, 0, 0, ''];
            assert.deepEqual([frame.data.length, md5(frame.data), frame.key], [size, hash, key === 1], `packet ${n}`);
            assert.ok(Math.abs(frame.dts + frame.ptsDelay - pts) <= slack, `pts of packet ${n}: ${pts}`);
            if (dts !== null) assert.ok(Math.abs(frame.dts - dts) <= slack, `dts of packet ${n}: ${dts}`);
            assert.ok(frame.ptsDelay >= 0, `packet ${n} is shown before it is decoded`);
          });
        }
      } finally {
        await source.close();
      }
    });
  }

  it('the bit rate and the duration are about right', async () => {
    for (const name of ['h264-aac.mp4', 'h264-mp3.flv']) {
      const source = await openSource(join(FOLDER, name));
      assert.ok(source.duration !== undefined && Math.abs(source.duration - 2000) < 60, `${source.duration}`);
      for (const track of source.tracks) {
        const bytes = (await all(track)).reduce((sum, frame) => sum + frame.data.length, 0);
        const rate = (bytes * 8) / 2;
        assert.ok(Math.abs(track.info.bitrate - rate) < rate * 0.05, `${name}: ${track.info.bitrate}, not ${rate}`);
      }
      await source.close();
    }
  });

  it('frames() can be called again, for another pass', async () => {
    for (const name of ['h264-aac.mp4', 'h264-mp3.flv']) {
      const source = await openSource(join(FOLDER, name));
      const [track] = source.tracks;
      assert.ok(track !== undefined);
      assert.deepEqual(await all(track), await all(track));
      await source.close();
    }
  });
});

describe('a start offset', () => {
  // Key frames are 20 frames of 40 ms apart: at 0, 800 and 1600 ms.
  for (const name of ['h264-aac.mp4', 'h264-mp3.flv']) {
    it(`begins at the key frame at or before it: ${name}`, async () => {
      const whole = await openSource(join(FOLDER, name));
      const late = await openSource(join(FOLDER, name), { start: 1500 });
      const [video, audio] = whole.tracks;
      const [lateVideo, lateAudio] = late.tracks;
      assert.ok(video && audio && lateVideo && lateAudio);
      assert.deepEqual(await all(lateVideo), (await all(video)).slice(20));
      const [firstVideo] = await all(lateVideo);
      const [firstAudio] = await all(lateAudio);
      assert.ok(firstVideo && firstAudio);
      assert.equal(firstVideo.key, true);
      assert.ok(Math.abs(firstAudio.dts - firstVideo.dts) < 90 * 120, 'audio begins where video does');
      await whole.close();
      await late.close();
    });
  }

  it('takes the audio frame at it where there is no video', async () => {
    const source = await openSource(join(FOLDER, 'eac3.mkv'), { start: 1000 });
    const [track] = source.tracks;
    assert.ok(track !== undefined);
    const [first] = await all(track);
    assert.ok(first !== undefined && first.dts > 960 * 90 && first.dts <= 1000 * 90, `${first?.dts}`);
    await source.close();
  });
});
