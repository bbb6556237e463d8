import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';

const LIMIT = 2_000_000;
/** 1 % of the limit, with what the service counts for keeping a frame. */
const SIZE = LIMIT / 100 - 1000;
/** ms that each frame waits. */
const DELAY = 10_000;

/** Frames wait until the spec turns the clock, so memory fills and empties frame by frame. */
describe('overload, by the share of the memory limit that is used', { timeout: 60_000 }, () => {
  let clock: FakeClock;
  let live: Live;
  let video: KmpSender;
  let audio: KmpSender;
  let sent: { video: number; audio: number };

  const used = (): number => (live.upstream?.ledger.used ?? 0) / LIMIT;
  const track = (kind: 'video' | 'audio') => live.status().streams['s']?.tracks[kind];
  const dropped = (): number => track('video')?.dropped_frames ?? 0;
  const warnings = (): number => live.service.log.of('warn').filter(({ message }) => /^overload/.test(message)).length;
  const ends = (): number =>
    live.service.log.of('info').filter(({ message }) => /overload is over/.test(message)).length;

  /** One frame; true if it was taken. */
  async function frame(key: boolean): Promise<boolean> {
    const before = dropped();
    video.send(frameAt(clock.now(), Buffer.alloc(SIZE), { key }));
    sent.video++;
    await live.received('video', sent.video);
    return dropped() === before;
  }

  async function audioFrame(size = 100): Promise<void> {
    audio.send(frameAt(clock.now(), Buffer.alloc(size)));
    sent.audio++;
    await live.received('audio', sent.audio);
  }

  /** Frames up to a share of the limit: a group from the first one on. */
  async function fill(share: number): Promise<void> {
    for (let first = true; used() + (SIZE + 1000) / LIMIT < share; first = false) assert.ok(await frame(first));
  }

  beforeEach(async () => {
    clock = new FakeClock();
    const delays = { outMinProcessDelay: DELAY, outMaxProcessDelay: DELAY };
    live = await Live.start({
      clock,
      settings: { ...delays, outMemLimit: LIMIT, outOverload: 'drop_frames', outWriteMetaTimeout: 0 },
    });
    ({ video, audio } = await live.both());
    sent = { video: 0, audio: 0 };
    await live.state('publishing');
    await audioFrame();
  });
  afterEach(() => live.close());

  it('drops a new group above 75 %, and accepts one below', async () => {
    await fill(0.74);
    assert.ok(await frame(true));
    while (used() <= 0.75) assert.ok(await frame(false));
    assert.ok(used() < 0.77);
    assert.equal(warnings(), 0);
    assert.equal(await frame(true), false);
    assert.equal(warnings(), 1);
    // And what refers to it.
    assert.equal(await frame(false), false);
    assert.equal(dropped(), 2);
  });

  it('drops the arriving group above 90 %, and the queued groups', async () => {
    await fill(0.3);
    assert.ok(await frame(true));
    while (used() <= 0.9) assert.ok(await frame(false));
    assert.ok(used() < 0.92);
    assert.equal(warnings(), 0);
    const waiting = sent.video;
    assert.equal(await frame(false), false);
    assert.equal(dropped(), waiting + 1);
    assert.ok(used() < 0.1);
    assert.equal(track('video')?.pending_frames, 0);
    assert.equal(warnings(), 1);
  });

  it('logs the number of dropped frames at the end', async () => {
    await fill(0.3);
    assert.ok(await frame(true));
    while (used() <= 0.9) assert.ok(await frame(false));
    const waiting = sent.video;
    assert.equal(await frame(false), false);
    assert.ok(await frame(true));
    assert.match(live.service.log.text, new RegExp(`the overload is over: ${waiting + 1} video frames were left out`));
  });

  it('drops the rest of a group after one of its frames was dropped, even if nothing was queued', async () => {
    assert.ok(await frame(true));
    clock.advance(DELAY);
    await eventually(() => track('video')?.pending_frames === 0, 'the key frame to be sent');
    while (used() <= 0.9) await audioFrame(SIZE);
    assert.equal(await frame(false), false);
    clock.advance(DELAY);
    await eventually(() => used() < 0.1, 'the audio to be sent');
    assert.equal(await frame(false), false);
    assert.ok(await frame(true));
  });

  it('accepts a new group below 75 % once it is over, even if the group before was dropped', async () => {
    await fill(0.77);
    assert.equal(await frame(true), false);
    clock.advance(DELAY);
    await eventually(() => used() < 0.1, 'all to be sent');
    // Audio is what shows that it is over; then there is more of it.
    while (used() <= 0.6) await audioFrame(SIZE);
    assert.equal(ends(), 1);
    assert.ok(await frame(true));
  });

  it('makes room for audio above 90 %, and never drops audio', async () => {
    await fill(0.3);
    assert.ok(await frame(true));
    while (used() <= 0.9) assert.ok(await frame(false));
    await audioFrame();
    assert.equal(track('video')?.pending_frames, 0);
    assert.equal(track('audio')?.pending_frames, 2);
    assert.equal(track('audio')?.dropped_frames, 0);
    assert.equal(warnings(), 1);
    // The rest of the group is of no use without what was left out.
    assert.equal(await frame(false), false);
  });

  it('is over below 50 %, and not before', async () => {
    await fill(0.2);
    clock.advance(1000);
    await fill(0.45);
    clock.advance(1000);
    await fill(0.77);
    assert.equal(await frame(true), false);
    assert.equal(warnings(), 1);

    // The first fifth goes out: between the marks, nothing begins.
    clock.advance(DELAY - 2000);
    await eventually(() => used() < 0.62, 'the first frames to be sent');
    assert.ok(used() > 0.5);
    assert.equal(await frame(true), false);
    assert.equal(ends(), 0);

    clock.advance(1000);
    await eventually(() => used() < 0.45, 'more frames to be sent');
    assert.ok(used() > 0.3);
    // A group begins with a key frame.
    assert.equal(await frame(false), false);
    assert.ok(await frame(true));
    assert.ok(await frame(false));
    assert.equal(ends(), 1);
    assert.match(live.service.log.text, /the overload is over: 2 video frames were left out/);

    // The next episode is one of its own.
    await fill(0.77);
    assert.equal(await frame(true), false);
    assert.equal(warnings(), 2);
  });
});
