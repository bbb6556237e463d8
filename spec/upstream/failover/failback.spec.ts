import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Destinations, timesOf } from '../../support/ingest/destinations.js';
import { eventually } from '../../support/time/eventually.js';
import { audioOf, framesOf, kindsOf, mediaOf, videoOf } from '../../support/ingest/ingest-media.js';
import { audioFrames, names, videoFrames } from '../../support/service/live.js';
import type { KmpSender } from '../../support/kmp/kmp-sender.js';
import type { IngestConnection, Script } from '../../support/ingest/scriptable-ingest.js';

describe('failback to the primary destination', { timeout: 90_000 }, () => {
  let site: Destinations;
  let senders: { video: KmpSender; audio: KmpSender };
  let backup: IngestConnection;

  /** The primary destination breaks when the second group is half out, and the backup is in use. */
  async function onBackup(outFailback: number): Promise<void> {
    site = await Destinations.start([{}], { settings: { outFailback } });
    senders = await site.publish();
    const first = await site.live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    await site.live.killServer();
    backup = await site.backup(1).next();
    await backup.until(() => framesOf(backup).length === 16);
    await site.inUse(1);
  }

  afterEach(() => site.close());

  it('opens the primary connection beside the backup, and moves at a key frame once it has accepted the publish', async () => {
    await onBackup(60_000);
    const primary = await site.live.startServer({ unanswered: ['publish'] });
    site.clock.advance(59_999);
    assert.equal(primary.connections.length, 0);
    site.clock.advance(1);
    const third = await primary.next();
    await third.command('publish');
    // Connected, but not accepted: all frames go to the backup.
    senders.video.send(...videoFrames(8, 12));
    senders.audio.send(...audioFrames(8, 12));
    await backup.until(() => videoOf(backup).includes('v11') && audioOf(backup).includes('a11'));
    assert.deepEqual(framesOf(third), []);
    assert.equal(site.live.status().destination, 1);
    third.sendStatus(1, 'status', 'NetStream.Publish.Start', '');
    await site.live.confirmed(3);
    senders.video.send(...videoFrames(12, 15));
    senders.audio.send(...audioFrames(12, 15));
    await backup.until(() => videoOf(backup).includes('v14') && audioOf(backup).includes('a14'));
    assert.deepEqual(framesOf(third), []);
    senders.video.send(...videoFrames(15, 18));
    await third.until(() => videoOf(third).includes('v17'));
    senders.audio.send(...audioFrames(15, 18));
    await third.until(() => audioOf(third).includes('a17'));
    await backup.closed;
    assert.deepEqual(kindsOf(third).slice(0, 4), ['metadata', 'video header', 'audio header', 'video']);
    // Nothing twice, nothing missing, and the times go on.
    assert.deepEqual([...videoOf(backup), ...videoOf(third)], names('v', 0, 18));
    assert.deepEqual([...audioOf(backup), ...audioOf(third)], names('a', 0, 18));
    assert.equal(mediaOf(third).find(({ kind }) => kind === 'video')?.ms, 15 * 40);
    assert.ok(timesOf(third).every((ms) => ms >= 15 * 40));
    // The stream is ended at the backup.
    assert.deepEqual(
      backup
        .commands()
        .slice(-2)
        .map(([name]) => name),
      ['FCUnpublish', 'deleteStream'],
    );
    assert.deepEqual(backup.commands('FCUnpublish')[0]?.at(-1), 'key1');
    const { destination, failovers, reconnects, state } = site.live.status();
    assert.deepEqual(
      { destination, failovers, reconnects, state },
      { destination: 0, failovers: 2, reconnects: 1, state: 'publishing' },
    );
    senders.video.end();
    senders.audio.end();
    await Promise.all([senders.video.closed, senders.audio.closed]);
    // What was sent within the last second may have to be sent again.
    site.clock.advance(1000);
    await site.live.finish();
  });

  const refusals: [string, Script | undefined][] = [
    ['is not there', undefined],
    ['refuses connect', { rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'full' } }],
    ['refuses the publish for good', { rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' } }],
    ['hangs up', { cutAfter: { bytes: 1, how: 'reset' } }],
  ];
  for (const [what, script] of refusals) {
    it(`leaves the backup in use if the primary destination ${what}, and waits twice as long for the next attempt`, async () => {
      await onBackup(10_000);
      if (script !== undefined) await site.live.startServer(script);
      const failed = (): number => site.live.service.log.text.split('the replacement connection failed').length - 1;
      const tried = (): number => site.live.service.log.text.split('is tried beside').length - 1;
      let attempts = 0;
      for (const wait of [10_000, 20_000, 40_000]) {
        site.clock.advance(wait - 1);
        assert.equal(tried(), attempts);
        site.clock.advance(1);
        attempts++;
        assert.equal(tried(), attempts);
        await eventually(() => failed() === attempts, `attempt ${attempts} to fail`);
      }
      senders.video.send(...videoFrames(8, 13));
      senders.audio.send(...audioFrames(8, 13));
      await backup.until(() => framesOf(backup).length === 26);
      assert.deepEqual(site.live.status().failovers, 1);
      assert.equal(site.backup(1).connections.length, 1);
    });
  }

  for (const [interval, waits] of [
    [100_000, [100_000, 200_000, 300_000, 300_000]],
    [400_000, [400_000, 400_000]],
  ] as const) {
    it(`waits for five minutes at most, or for kmp_rtmp_out_failback ${interval / 1000}s`, async () => {
      await onBackup(interval);
      const log = (text: string): number => site.live.service.log.text.split(text).length - 1;
      for (const [n, wait] of waits.entries()) {
        site.clock.advance(wait - 1);
        assert.equal(log('is tried beside'), n);
        site.clock.advance(1);
        assert.equal(log('is tried beside'), n + 1);
        await eventually(() => log('the replacement connection failed') === n + 1, `attempt ${n + 1} to fail`);
      }
    });
  }

  it('does not happen to a server that answers no command', async () => {
    await onBackup(10_000);
    const primary = await site.live.startServer({ answers: false });
    site.clock.advance(10_000);
    const there = await primary.next();
    await there.command('connect');
    await eventually(() => {
      site.clock.advance(1000);
      return site.live.service.log.text.includes('the replacement connection failed');
    }, 'the attempt to fail');
    senders.video.send(...videoFrames(8, 13));
    await backup.until(() => videoOf(backup).includes('v12'));
    assert.deepEqual([site.live.status().destination, framesOf(there)], [1, []]);
  });

  it('never happens with kmp_rtmp_out_failback never', async () => {
    await onBackup(Infinity);
    const primary = await site.live.startServer();
    site.clock.advance(86_400_000);
    senders.video.send(...videoFrames(8, 13));
    await backup.until(() => videoOf(backup).includes('v12'));
    assert.equal(primary.connections.length, 0);
  });

  it('happens at once if the backup breaks while the primary destination is tried, accepted there or not', async () => {
    await onBackup(10_000);
    const primary = await site.live.startServer({ unanswered: ['publish'] });
    site.clock.advance(10_000);
    const third = await primary.next();
    await third.command('publish');
    await site.backup(1).close();
    await eventually(() => site.live.status().destination === 0, 'the primary destination to be tried');
    third.sendStatus(1, 'status', 'NetStream.Publish.Start', '');
    await third.until(() => framesOf(third).length === 16);
    assert.equal(site.live.status().failovers, 2);
    assert.equal(primary.connections.length, 1);
  });

  it('waits longer for each return that does not last', async () => {
    await onBackup(10_000);
    let publishes = 2;
    let sent = 8;
    for (const wait of [10_000, 20_000, 40_000]) {
      const primary = await site.live.startServer();
      site.clock.advance(wait - 1);
      assert.equal(primary.connections.length, 0);
      site.clock.advance(1);
      const there = await primary.next();
      await site.live.confirmed(++publishes);
      // A key frame moves the stream.
      senders.video.send(...videoFrames(sent, sent + 5));
      sent += 5;
      await there.until(() => videoOf(there).length > 0);
      await site.inUse(0);
      await site.live.killServer();
      await site.live.confirmed(++publishes);
      await site.inUse(1);
    }
  });

  it('is one attempt at a time for all upstreams of a destination', async () => {
    await onBackup(10_000);
    const data = { upstream_id: 'u2', url: site.live.url(), backup_urls: [site.url(1)] };
    const other = await site.live.audio(data);
    await eventually(() => site.live.service.registry.get('u2')?.state === 'publishing', 'the other upstream');
    const primary = await site.live.startServer({ stallAt: 'nothing' });
    site.clock.advance(30_000);
    const first = await primary.next();
    await first.until(() => first.hello.length > 0);
    site.clock.advance(9_000);
    assert.equal(primary.connections.length, 1);
    assert.ok(!other.isClosed);
  });
});
