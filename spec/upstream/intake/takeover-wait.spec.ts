import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';

const READ_INTERVAL = 200;
/** Each connection is read within two intervals; 100 ms later it is known to be closed. */
const LONGEST_WAIT = 2 * READ_INTERVAL + 100;
/** ms between two looks at whether the track is free. */
const LOOK_AGAIN = 20;

describe('a sender that returns before the end of its old connection is noticed', { timeout: 60_000 }, () => {
  let clock: FakeClock;
  let live: Live;
  let first: KmpSender;

  /** The second sender of the same track, once the service has found the track taken. */
  async function back(): Promise<KmpSender> {
    const data = { upstream_id: 'u1', url: live.url() };
    const second = await KmpSender.open(live.service.port, data, { frameId: 1n });
    live.senders.push(second);
    second.send(videoMinf());
    await eventually(() => clock.untilNext <= LOOK_AGAIN, 'the next look');
    return second;
  }

  async function start(inReadInterval: number): Promise<void> {
    // The frame waits, so the track stays when its sender has left.
    const delays = { outMinProcessDelay: 10_000, outMaxProcessDelay: 10_000 };
    live = await Live.start({ clock, settings: { inReadInterval, outWriteMetaTimeout: 0, ...delays } });
    first = await live.video();
    first.send(frameAt(0, 'v0', { key: true }));
    await live.received('video', 1);
    await live.state('publishing');
    // No timer of the stream's beginning is left.
    clock.advance(100);
  }

  beforeEach(() => {
    clock = new FakeClock();
  });
  afterEach(() => live.close());

  for (const waited of [LOOK_AGAIN, LONGEST_WAIT - LOOK_AGAIN]) {
    it(`takes over ${waited} ms later, when it was`, async () => {
      await start(READ_INTERVAL);
      const second = await back();
      clock.advance(waited - LOOK_AGAIN);
      first.destroy();
      await eventually(() => live.status().streams['s']?.tracks.video?.input === null, 'the end of the first');
      clock.advance(LOOK_AGAIN);
      second.send(frameAt(40, 'v1'));
      await live.received('video', 1);
      clock.advance(10_000);
      const connection = await live.ingest.next();
      await connection.until(() => framesOf(connection).includes('v1'));
      assert.deepEqual(framesOf(connection), ['v0', 'v1']);
      assert.equal(second.isClosed, false);
    });
  }

  it('has frames before its media info counted once, however often the service checks', async () => {
    await start(READ_INTERVAL);
    const second = await KmpSender.open(live.service.port, { upstream_id: 'u1', url: live.url() }, { frameId: 0n });
    live.senders.push(second);
    second.send(frameAt(0, 'early'), videoMinf());
    await eventually(() => clock.untilNext <= LOOK_AGAIN, 'the next look');
    clock.advance(10 * LOOK_AGAIN);
    const track = () => live.status().streams['s']?.tracks.video;
    first.destroy();
    await eventually(() => track()?.input === null, 'the end of the first');
    clock.advance(LOOK_AGAIN);
    await eventually(() => track()?.input !== null, 'the second');
    assert.equal(track()?.input?.skipped_frames.no_media_info, 1);
  });

  it(`is refused if the old connection is still there after ${LONGEST_WAIT} ms`, async () => {
    await start(READ_INTERVAL);
    const second = await back();
    clock.advance(LONGEST_WAIT - 1);
    assert.equal(live.service.counter.open, 2);
    clock.advance(1);
    await second.closed;
    assert.equal(first.isClosed, false);
    assert.match(live.service.log.of('error').at(-1)?.message ?? '', /video/);
  });

  it('is refused at once without reading in intervals', async () => {
    await start(0);
    const second = await live.video();
    await second.closed;
    assert.equal(first.isClosed, false);
  });
});
