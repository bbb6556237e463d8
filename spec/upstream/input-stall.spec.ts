import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { frameAt } from '../support/kmp/kmp-sender.js';
import { audioFrames, Live, videoFrames } from '../support/service/live.js';

describe('a sender that is connected and sends nothing', { timeout: 90_000 }, () => {
  let live: Live;
  afterEach(() => live.close());

  it('is shown as input_stalled after ten seconds, and no more when its frames arrive again', async () => {
    const clock = new FakeClock();
    live = await Live.start({ clock });
    const { video, audio } = await live.both();
    video.send(...videoFrames(0, 3));
    audio.send(...audioFrames(0, 3));
    await live.received('video', 3);
    await live.received('audio', 3);
    await live.state('publishing');
    assert.equal(live.status().input_stalled, null);
    clock.advance(9_999);
    assert.equal(live.status().state, 'publishing');
    // Sound alone does not hide that the picture stands still.
    audio.send(...audioFrames(3, 4));
    await live.received('audio', 4);
    clock.advance(1);
    assert.deepEqual([live.status().state, live.status().input_stalled], ['input_stalled', 10]);
    video.send(...videoFrames(3, 4));
    await live.received('video', 4);
    assert.equal(live.status().state, 'publishing');
  });

  it('is reported, once for each track, and again when its frames arrive', async () => {
    const clock = new FakeClock();
    live = await Live.start({ clock });
    const { video, audio } = await live.both();
    video.send(...videoFrames(0, 3));
    audio.send(...audioFrames(0, 3));
    await live.received('video', 3);
    await live.received('audio', 3);
    await live.state('publishing');
    const lines = (): unknown[] =>
      live.service.log.lines
        .filter(({ message }) => /^input_(lost|back)/.test(message))
        .map(({ level, message, fields: { reason, track, away_ms } }) => [level, message, reason, track, away_ms]);
    clock.advance(9_000);
    assert.deepEqual(lines(), []);
    audio.send(...audioFrames(3, 4));
    await live.received('audio', 4);
    clock.advance(5_000);
    const lost = 'input_lost: no video arrives: the sender is connected and sends no media';
    assert.deepEqual(lines(), [['warn', lost, 'input_stalled', 'video', undefined]]);
    video.send(...videoFrames(3, 4));
    await live.received('video', 4);
    clock.advance(1_000);
    const back = ['info', 'input_back: video arrives again after 14000 ms', 'input_stalled', 'video', 14_000];
    assert.deepEqual(lines().slice(1), [back]);
    // A sender that leaves is no stall that ends.
    clock.advance(9_000);
    assert.equal(lines().length, 4);
    audio.destroy();
    video.destroy();
    await live.service.ended();
    assert.equal(lines().length, 4);
  });

  it('is not one whose frames arrive and are all dropped', async () => {
    const clock = new FakeClock();
    live = await Live.start({ clock, settings: { outOverload: 'drop_frames', outMemLimit: 256 * 1024 } });
    const video = await live.video();
    video.send(...videoFrames(0, 1));
    await live.received('video', 1);
    await live.state('publishing');
    // They wait for their time, and use up the memory. No key frame follows, so the rest of the group is dropped.
    for (let n = 1; n <= 30; n++) video.send(frameAt(n * 40, Buffer.alloc(16 * 1024)));
    await live.received('video', 31);
    for (let second = 1; second <= 15; second++) {
      clock.advance(1_000);
      video.send(frameAt(1_240 + second * 40, 'v'));
      await live.received('video', 31 + second);
      assert.equal(live.status().input_stalled, null);
    }
    const { tracks } = live.status().streams['s'] ?? {};
    assert.ok((tracks?.video?.dropped_frames ?? 0) > 15);
  });

  it('ends its upstream as input_timeout, not as done; one that leaves does not', async () => {
    live = await Live.start({ settings: { inReadTimeout: 300, inReadInterval: 0 } });
    await live.audio();
    const { reason, upstream } = await live.service.ended();
    assert.equal(reason, 'input_timeout');
    assert.match(
      live.service.log.text,
      /error upstream ended: input_timeout: the sender was connected but sent nothing/,
    );
    assert.equal(upstream.id, 'u1');
    const sender = await live.audio();
    sender.send(frameAt(0, 'a0'));
    sender.end();
    assert.equal((await live.service.ended()).reason, 'done');
  });
});

describe('what a track carries', { timeout: 90_000 }, () => {
  it('is in its status: size, frame rate, key frame interval, channels and samples', async (t) => {
    const live = await Live.start();
    t.after(() => live.close());
    const { video, audio } = await live.both();
    video.send(...videoFrames(0, 3));
    audio.send(...audioFrames(0, 1));
    await live.received('video', 3);
    await live.received('audio', 1);
    const media = (track: 'video' | 'audio') => live.status().streams['s']?.tracks[track]?.media;
    const announced = { bitrate: 2_500_000, width: 1280, height: 720, frame_rate: 30 };
    assert.deepEqual(media('video'), { ...announced, key_frame_interval: null });
    assert.deepEqual(media('audio'), { bitrate: 128_000, channels: 2, sample_rate: 44_100 });
    video.send(...videoFrames(3, 6));
    await eventually(() => media('video')?.key_frame_interval === 200, 'the second key frame');
  });
});
