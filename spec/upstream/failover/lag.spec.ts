import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Destinations } from '../../support/ingest/destinations.js';
import { eventually } from '../../support/time/eventually.js';
import { framesOf, mediaOf, videoOf } from '../../support/ingest/ingest-media.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { videoFrames } from '../../support/service/live.js';
import type { Script } from '../../support/ingest/scriptable-ingest.js';

describe('failover because of lag', { timeout: 90_000 }, () => {
  let site: Destinations;
  let senders: { video: KmpSender; audio: KmpSender };
  afterEach(() => site.close());

  /** The primary destination has stopped to read, and a frame that the kernel does not take waits. */
  async function lagging(scripts: readonly Script[], outFailoverLag = 5000, outTimeout = 1e9): Promise<void> {
    const settings = { outMemLimit: 2 ** 27, outTimeout, outFailoverLag, outFailback: Infinity };
    site = await Destinations.start(scripts, { settings });
    senders = await site.publish();
    const first = await site.live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    first.pause();
    senders.video.send(frameAt(320, Buffer.alloc(15 * 2 ** 20)));
    await site.live.received('video', 9);
    await eventually(() => site.live.status().written_bytes > site.live.status().sent_bytes, 'the frame to wait');
  }

  it('moves to the backup once that has accepted the publish, and sends there what the server has not taken', async () => {
    await lagging([{ unanswered: ['publish'] }]);
    site.clock.advance(5000);
    assert.equal(site.backup(1).connections.length, 0);
    site.clock.advance(500);
    const second = await site.backup(1).next();
    await second.command('publish');
    assert.equal(site.live.status().destination, 0);
    second.sendStatus(1, 'status', 'NetStream.Publish.Start', '');
    await site.inUse(1);
    senders.video.send(...videoFrames(9, 12));
    await second.until(() => videoOf(second).includes('v11'));
    const video = mediaOf(second).filter(({ kind }) => kind === 'video');
    assert.equal(video[0]?.key, true);
    assert.ok(video.some(({ ms, text }) => ms === 320 && text.length === 15 * 2 ** 20));
    const [event] = site.live.service.events.filter(({ type }) => type === 'failover');
    assert.equal(event?.reason, 'lag');
    assert.match(event?.message ?? '', /^backup 1 of 1 is used: the destination before lagged by 5500 ms$/);
    assert.ok(!senders.video.isClosed);
  });

  it('leaves the primary destination in use if the backup does not accept', async () => {
    await lagging([{ rejectPublish: { code: 'NetStream.Publish.BadName', description: 'in use' } }]);
    site.clock.advance(5500);
    await site.backup(1).next();
    await eventually(() => /the replacement connection failed/.test(site.live.service.log.text), 'the log line');
    assert.equal(site.live.status().destination, 0);
    assert.equal(site.live.status().state, 'publishing');
  });

  it('does not return for a minute to a destination that has lagged, though the backup lags as well', async () => {
    await lagging([{}]);
    const tried = (): number => site.live.service.log.text.split('is tried beside').length - 1;
    site.clock.advance(5500);
    const second = await site.backup(1).next();
    await site.inUse(1);
    // All that waited is taken, before the backup stops to read as well.
    await second.until(() => framesOf(second).length === 17);
    second.pause();
    const { written_bytes: before } = site.live.status();
    senders.video.send(frameAt(360, Buffer.alloc(15 * 2 ** 20), { key: true }));
    await site.live.received('video', 10);
    await eventually(() => site.live.status().written_bytes > before + 15 * 2 ** 20, 'the frame to be written');
    site.clock.advance(59_999);
    assert.deepEqual([tried(), site.live.status().destination], [1, 1]);
    site.clock.advance(501);
    await eventually(() => tried() === 2, 'the primary destination to be tried');
    await site.inUse(0);
  });

  it('does not keep a server that takes no byte for longer than kmp_rtmp_out_timeout', async () => {
    const rejectPublish = { code: 'NetStream.Publish.BadName', description: 'in use' };
    await lagging([{ rejectPublish }], 5000, 10_000);
    site.clock.advance(5500);
    await eventually(() => /the replacement connection failed/.test(site.live.service.log.text), 'the log line');
    assert.equal(site.live.status().reconnects, 0);
    for (let n = 0; site.live.status().reconnects === 0; n++) {
      assert.ok(n < 60, 'the primary destination has not been given up');
      // The kernel's queues are read in real time: the clock waits for that.
      await site.live.service.registry.refreshLags();
      site.clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(site.live.service.log.text, /took no byte for 10000 ms/);
  });

  it('never happens with kmp_rtmp_out_failover_lag never', async () => {
    await lagging([{}], Infinity);
    site.clock.advance(600_000);
    assert.equal(site.backup(1).connections.length, 0);
  });
});
