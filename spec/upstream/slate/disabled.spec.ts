import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { audioFrames, Live, videoFrames } from '../../support/service/live.js';

describe('a slate and an upstream that an operator has disabled', { timeout: 90_000 }, () => {
  let clock: FakeClock;
  let live: Live;

  beforeEach(async () => {
    clock = new FakeClock();
    live = await Live.start({ clock, settings: { outLinger: 60_000, inAck: 'frame', outSlate: 'freeze' } });
  });
  afterEach(() => live.close());

  const order = (what: 'disable' | 'enable') =>
    live.service.registry.orders.order(what, { id: 'u1' }, { by: null, since: clock.wall() });

  it('nothing is missing when it is enabled, because its senders have sent all the time', async () => {
    const { video, audio } = await live.both();
    const first = await live.ingest.next();
    video.send(...videoFrames(0, 5));
    audio.send(...audioFrames(0, 5));
    await first.until(() => framesOf(first).length === 10);
    order('disable');
    await live.state('disabled');
    for (let n = 5; n < 105; n += 5) {
      video.send(...videoFrames(n, n + 5));
      audio.send(...audioFrames(n, n + 5));
      await live.received('video', n + 5);
      await live.received('audio', n + 5);
      clock.advance(200);
    }
    order('enable');
    const second = await live.ingest.next();
    await live.confirmed(2);
    // The slate looks after a moment.
    clock.advance(100);
    video.send(...videoFrames(105, 110));
    audio.send(...audioFrames(105, 110));
    await second.until(() => framesOf(second).includes('v109') && framesOf(second).includes('a109'));
    assert.deepEqual(
      framesOf(second).filter((text) => text.startsWith('v')),
      ['v105', 'v106', 'v107', 'v108', 'v109'],
    );
    assert.equal(live.status().streams['s']?.tracks.audio?.slate_frames, 0);
    assert.equal(live.status().state, 'publishing');
    assert.deepEqual(
      live.service.events.map(({ type, reason }) => `${type} ${reason}`),
      ['publish_start first', 'publish_end api_delete', 'publish_start again'],
    );
  });
});
