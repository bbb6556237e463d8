import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planTracks } from '../../lib/send/plan.js';
import type { MediaSource, SourceFrame } from '../../lib/source/source.js';
import { timeline } from '../../lib/send/timeline.js';
import { audioInfo, madeFrame, madeSource, videoInfo } from '../support/media/made-source.js';

const target = { upstreamId: 'u1', url: 'rtmp://host/app/key' };

/** `payload@due ms, dts ms` of all frames in order. */
async function play(sources: MediaSource[], passes = 1, limit = 100): Promise<string[]> {
  const lines: string[] = [];
  for await (const { frame, media, shift } of timeline(planTracks(sources, { target }), passes)) {
    lines.push(`${frame.data.toString()}@${media},${(frame.dts + shift) / 90}`);
    if (lines.length >= limit) break;
  }
  return lines;
}

const av = (video: SourceFrame[], audio: SourceFrame[], more?: Partial<MediaSource>): MediaSource =>
  madeSource(
    [
      { info: videoInfo, frames: video },
      { info: audioInfo, frames: audio },
    ],
    more,
  );
const video = (...times: number[]): SourceFrame[] => times.map((ms) => madeFrame('v', ms));
const audio = (...times: number[]): SourceFrame[] => times.map((ms) => madeFrame('a', ms));

describe('the order and the times of frames', () => {
  it('tracks are joined by time, and the earliest frame of all gets 0', async () => {
    assert.deepEqual(await play([av(video(-80, -40, 0), audio(-20, 10))]), [
      ...['v-80@0,0', 'v-40@40,40', 'a-20@60,60', 'v0@80,80', 'a10@90,90'],
    ]);
    assert.deepEqual(await play([av(video(1400, 1440), audio(1410))]), ['v1400@0,0', 'a1410@10,10', 'v1440@40,40']);
  });

  it('files keep their place against one another', async () => {
    const files = [av(video(0, 40), []), av(video(-80, -40), [])];
    assert.deepEqual(await play(files), ['v-80@0,0', 'v-40@40,40', 'v0@80,80', 'v40@120,120']);
  });

  it('dumps keep their times', async () => {
    const dump = (frames: SourceFrame[], info: typeof videoInfo | typeof audioInfo): MediaSource =>
      madeSource([{ info, frames }], { absolute: true });
    assert.deepEqual(await play([dump(video(5000, 5040), videoInfo), dump(audio(5010), audioInfo)]), [
      ...['v5000@0,5000', 'a5010@10,5010', 'v5040@40,5040'],
    ]);
  });

  it('a pass of a loop continues at the end of the previous one; its last frame lasts as long as the one before it', async () => {
    assert.deepEqual(await play([av(video(0, 40), audio(0, 30, 60))], 3, 13), [
      ...['v0@0,0', 'a0@0,0', 'a30@30,30', 'v40@40,40', 'a60@60,60'],
      ...['v0@90,90', 'a0@90,90', 'a30@120,120', 'v40@130,130', 'a60@150,150'],
      ...['v0@180,180', 'a0@180,180', 'a30@210,210'],
    ]);
    assert.equal((await play([av(video(0, 40), [])], Infinity, 50)).length, 50);
    assert.deepEqual(await play([av([], [])], Infinity), []);
  });

  it('a time that goes back is kept, and delays neither track', async () => {
    const jump = av(video(1000, 1040, 1080, 500, 540), audio(1000, 1030, 1060, 1090, 500, 530));
    assert.deepEqual(await play([jump]), [
      ...['v1000@0,0', 'a1000@0,0', 'a1030@30,30', 'v1040@40,40', 'a1060@60,60', 'v1080@80,80', 'a1090@90,90'],
      ...['v500@120,-500', 'a500@120,-500', 'a530@150,-470', 'v540@160,-460'],
    ]);
  });

  it('frames say what they are made of, also in the next pass', async () => {
    const wide = { ...videoInfo, width: 640 };
    const source = madeSource([{ info: videoInfo, frames: [madeFrame('v', 0), madeFrame('v', 40, { info: wide })] }]);
    const widths: number[] = [];
    for await (const { info } of timeline(planTracks([source], { target }), 2))
      if (info.mediaType === 'video') widths.push(info.width);
    assert.deepEqual(widths, [320, 640, 320, 640]);
  });
});
