import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { frameAt, type KmpSender } from '../support/kmp/kmp-sender.js';
import { Live } from '../support/service/live.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const NOTE = { since: 0, by: null };

describe('frames that nobody was too slow for do not make an upstream degraded', { timeout: 60_000 }, () => {
  let clock: FakeClock;
  let live: Live;
  let there: ScriptableIngest;
  let sender: KmpSender;

  const dropped = (): number => live.status().streams['s']?.tracks.video?.dropped_frames ?? 0;
  /** A check of the health, before and after the frames of the middle of a group are dropped. */
  async function dropsMiddleOfGroup(): Promise<void> {
    clock.advance(1000);
    const before = dropped();
    sender.send(frameAt(400, 'v10'), frameAt(440, 'v11'));
    await eventually(() => dropped() === before + 2, 'two dropped frames');
    assert.equal(live.status().state, 'publishing');
    clock.advance(1000);
  }
  const isInOrder = (): void => {
    assert.equal(live.status().degraded, null);
    assert.doesNotMatch(live.service.log.text, /degraded/);
  };

  beforeEach(async () => {
    clock = new FakeClock();
    there = await ScriptableIngest.start({ answers: true });
    const settings = { inAck: 'frame', outReconnects: Infinity, outReconnectInterval: 0, outResend: 0 } as const;
    live = await Live.start({ clock, settings: { ...settings, outOverload: 'drop_frames' } });
    sender = await live.video();
    sender.send(frameAt(0, 'v0', { key: true }), frameAt(40, 'v1'));
    await live.state('publishing');
    await live.received('video', 2);
    // No audio comes: the stream begins without it.
    clock.advance(3000);
    await sender.acked(2n);
  });
  afterEach(async () => {
    await live.close();
    await there.close();
  });

  it('an order that sends it elsewhere: the new server waits for a key frame', async () => {
    const to = { url: `rtmp://127.0.0.1:${there.port}/app/s2`, backupUrls: [], ...NOTE };
    await live.service.registry.orders.send({ id: 'u1' }, to);
    await (await there.next()).command('publish');
    await live.state('publishing');
    await dropsMiddleOfGroup();
    isInOrder();
  });

  it('an order that disables it, and one that enables it again', async () => {
    const { orders } = live.service.registry;
    orders.order('disable', { id: 'u1' }, NOTE);
    await live.state('disabled');
    orders.order('enable', { id: 'u1' }, NOTE);
    await live.state('publishing');
    await dropsMiddleOfGroup();
    isInOrder();
  });

  it('a connection that broke, and was opened again within a second', async () => {
    const first = await live.ingest.next();
    first.reset();
    await eventually(() => {
      clock.advance(10);
      return live.ingest.connections.length === 2;
    }, 'another connection');
    await live.confirmed(2);
    await live.state('publishing');
    await dropsMiddleOfGroup();
    isInOrder();
  });
});
