import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Destinations, timesOf } from '../../support/ingest/destinations.js';
import { eventually } from '../../support/time/eventually.js';
import { audioOf, framesOf, kindsOf, videoOf } from '../../support/ingest/ingest-media.js';
import { audioFrames, names, videoFrames } from '../../support/service/live.js';
import type { Script } from '../../support/ingest/scriptable-ingest.js';

const refusals: [string, Script][] = [
  ['refuses connect for good', { rejectConnect: { code: 'NetConnection.Connect.InvalidApp', description: 'no' } }],
  ['refuses the publish for good', { rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' } }],
  ['refuses the publish for now', { rejectPublish: { code: 'NetStream.Publish.BadName', description: 'in use' } }],
  ['does not create the stream', { rejectCreateStream: { code: 'NetConnection.Call.Failed', description: 'busy' } }],
  ['speaks another protocol', { insteadOfHandshake: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') }],
];

describe('failover to a backup', { timeout: 90_000 }, () => {
  let site: Destinations;
  afterEach(() => site.close());

  for (const outReconnects of [0, Infinity]) {
    it(`at once when the primary destination breaks: streams and times go on (kmp_rtmp_out_reconnects ${outReconnects})`, async () => {
      site = await Destinations.start([{}], { settings: { outReconnects } });
      const { live } = site;
      const senders = await site.publish();
      const first = await live.ingest.next();
      await first.until(() => framesOf(first).length === 16);
      assert.deepEqual([live.status().destination, live.status().destinations], [0, 2]);
      await live.killServer();
      // The clock stands still: nothing is waited for.
      const second = await site.backup(1).next();
      await second.until(() => framesOf(second).length === 16);
      const [, , connect] = await second.command('connect');
      assert.equal(Object(connect).app, 'spare1');
      assert.equal(Object(connect).tcUrl, `rtmp://127.0.0.1:${site.backup(1).port}/spare1`);
      assert.deepEqual((await second.command('publish')).slice(3), ['key1', 'live']);
      await site.inUse(1);
      senders.video.send(...videoFrames(8, 13));
      senders.audio.send(...audioFrames(8, 13));
      await second.until(() => framesOf(second).length === 26);
      assert.deepEqual(kindsOf(second).slice(0, 3), ['metadata', 'video header', 'audio header']);
      // The server that was killed had acknowledged nothing: all is sent again, with the same times.
      assert.deepEqual(videoOf(second), names('v', 0, 13));
      assert.deepEqual(audioOf(second), names('a', 0, 13));
      assert.deepEqual(timesOf(second).slice(0, 16), timesOf(first));
      const { remote_addr, destination_url, failovers } = live.status();
      assert.equal(remote_addr, `127.0.0.1:${site.backup(1).port}`);
      assert.equal(destination_url, site.url(1));
      assert.equal(failovers, 1);
      assert.ok(!senders.video.isClosed && !senders.audio.isClosed);
    });
  }

  for (const [what, script] of refusals) {
    for (const outReconnects of [0, 3]) {
      it(`when the primary destination ${what} (kmp_rtmp_out_reconnects ${outReconnects})`, async () => {
        site = await Destinations.start([{}], { script, settings: { outReconnects } });
        await site.publish();
        const second = await site.backup(1).next();
        await second.until(() => framesOf(second).length === 16);
        assert.equal(site.live.ingest.connections.length, 1);
      });
    }
  }

  it('when nothing listens at the primary destination, or its name cannot be resolved', async () => {
    const resolve = (host: string): Promise<string[]> =>
      host === 'unknown.example' ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve([host]);
    site = await Destinations.start([{}, {}], { resolve, settings: { outReconnects: 0 } });
    await site.backup(1).close();
    await site.publish({ url: 'rtmp://unknown.example/app/s' });
    const third = await site.backup(2).next();
    await third.until(() => framesOf(third).length === 16);
    assert.equal(site.live.status().destination, 2);
  });

  it('before the time for a connection is over, if the primary destination does not answer', async () => {
    site = await Destinations.start([{}], { script: { stallAt: 'nothing' } });
    await site.publish();
    const first = await site.live.ingest.next();
    await first.until(() => first.hello.length > 0);
    site.clock.advance(1499);
    assert.equal(site.backup(1).connections.length, 0);
    site.clock.advance(1);
    const second = await site.backup(1).next();
    await second.until(() => framesOf(second).length === 16);
    await first.closed;
    assert.match(site.live.service.log.text, /no RTMP handshake within 1500 ms, and there is another destination/);
  });

  it('at once after a stable connection, also to a backup that has failed lately for another upstream', async () => {
    site = await Destinations.start([{ rejectPublish: { code: 'NetStream.Publish.BadName', description: 'in use' } }]);
    const { live, clock } = site;
    await site.publish();
    await site.inUse(0);
    await live.both({ upstream_id: 'u2', url: site.url(1) });
    await eventually(() => {
      clock.advance(1000);
      return clock.now() > 60_000 && live.service.registry.get('u2')?.state === 'reconnecting';
    }, 'a minute in which the backup refuses');
    // The last attempt was a second ago or more. The next one is far away.
    clock.advance(1000);
    const attempts = site.backup(1).connections.length;
    live.service.registry.get('u2')?.drop('shutdown', false);
    await eventually(() => live.service.registry.get('u2') === undefined, 'the end of the other upstream');
    site.backup(1).script = { answers: true };
    await live.killServer();
    // The clock stands still.
    await site.inUse(1);
    assert.equal(site.backup(1).connections.length, attempts + 1);
  });

  it('leaves a slow server more time at each further attempt, so that it is reached', async () => {
    site = await Destinations.start([{}], { script: { stallAt: 'nothing' } });
    await site.backup(1).close();
    await site.publish();
    for (const limit of [1500, 3000, 6000]) {
      const slow = await site.live.ingest.next();
      await slow.until(() => slow.hello.length > 0);
      site.clock.advance(limit - 1);
      assert.ok(!slow.isClosed);
      site.clock.advance(1);
      await slow.closed;
      // The backup has its attempt, and then the primary destination again.
      await site.live.state('reconnecting');
      await eventually(() => {
        site.clock.advance(1000);
        return site.live.ingest.connections.at(-1) !== slow;
      }, 'the next attempt');
    }
  });

  it('takes each destination in turn, with the backoff of each, while all of them fail', async () => {
    const refuse: Script = { rejectPublish: { code: 'NetStream.Publish.BadName', description: 'in use' } };
    site = await Destinations.start([refuse], { script: refuse });
    const senders = await site.publish();
    const attempts = (): number[] => [site.live.ingest.connections.length, site.backup(1).connections.length];
    await eventually(() => attempts().join() === '1,1', 'one attempt at each');
    await eventually(() => site.live.status().reconnects === 2, 'both to be refused');
    site.clock.advance(999);
    assert.deepEqual(attempts(), [1, 1]);
    site.clock.advance(1);
    await eventually(() => attempts().join() === '2,2', 'two attempts at each');
    await eventually(() => site.live.status().reconnects === 4, 'both to be refused again');
    site.clock.advance(1999);
    assert.deepEqual(attempts(), [2, 2]);
    site.backup(1).script = { answers: true };
    site.clock.advance(1);
    await site.inUse(1);
    assert.deepEqual(attempts(), [3, 3]);
    assert.ok(!senders.video.isClosed);
  });

  it('tries each destination once with kmp_rtmp_out_reconnects 0, then ends with the last reason', async () => {
    const refuse: Script = { rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'full' } };
    site = await Destinations.start([refuse, { insteadOfHandshake: Buffer.from('no') }], {
      script: { rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' } },
      settings: { outReconnects: 0 },
    });
    const { video } = await site.live.both({ backup_urls: [site.url(1), site.url(2)] });
    const { reason } = await site.live.service.ended();
    assert.equal(reason, 'handshake_failed');
    await video.closed;
    assert.deepEqual(
      [site.live.ingest, ...site.backups].map(({ connections }) => connections.length),
      [1, 1, 1],
    );
  });

  it('goes on to the next backup, and back to the primary destination', async () => {
    site = await Destinations.start([{}, {}], { settings: { outFailback: Infinity } });
    const { live } = site;
    const senders = await site.publish();
    const connections = [await live.ingest.next()];
    let sent = 8;
    for (const wanted of [1, 2, 0]) {
      const last = connections.at(-1);
      if (wanted === 0) {
        // The backoff of its failure is over.
        await live.startServer();
        site.clock.advance(1000);
      } else if (wanted === 1) await last?.until(() => framesOf(last).length === 16);
      if (wanted === 1) await live.killServer();
      else await site.backup(wanted === 2 ? 1 : 2).close();
      const next = await (wanted === 0 ? live.ingest : site.backup(wanted)).next();
      connections.push(next);
      senders.video.send(...videoFrames(sent, sent + 5));
      senders.audio.send(...audioFrames(sent, sent + 5));
      sent += 5;
      await next.until(() => videoOf(next).includes(`v${sent - 1}`) && audioOf(next).includes(`a${sent - 1}`));
      await site.inUse(wanted);
      // Nothing is missing between the destinations.
      const all = new Set(connections.flatMap((one) => framesOf(one)));
      assert.deepEqual(
        names('v', 0, sent).filter((name) => !all.has(name)),
        [],
      );
    }
    assert.equal(live.status().failovers, 3);
  });

  for (const { held, tried } of [
    { held: 59_999, tried: 1 },
    { held: 60_000, tried: 2 },
  ]) {
    it(`a final refusal counts until a connection has lasted for a minute (${held} ms)`, async () => {
      site = await Destinations.start([{}], {
        script: { rejectPublish: { code: 'NetStream.Publish.Denied', description: 'no' } },
        settings: { outFailback: Infinity },
      });
      const { live } = site;
      await site.publish();
      await site.inUse(1);
      site.clock.advance(held);
      const { reconnects } = live.status();
      await site.backup(1).close();
      // The primary destination if that may be tried again, and the backup when its wait is over.
      await eventually(() => live.status().reconnects >= reconnects + tried, 'each to be tried');
      site.clock.advance(1000);
      await eventually(() => live.status().reconnects > reconnects + tried, 'the backup to be tried again');
      assert.equal(live.ingest.connections.length, tried);
    });
  }

  it('begins with a backup while the primary destination is closed off by the failure of another upstream', async () => {
    site = await Destinations.start([{}], {
      script: { rejectPublish: { code: 'NetStream.Publish.BadName', description: '' } },
      settings: { outReconnects: 0 },
    });
    const other = await site.live.audio({ upstream_id: 'other' });
    await other.closed;
    assert.equal(site.live.ingest.connections.length, 1);
    await site.publish();
    await site.inUse(1);
    assert.equal(site.live.ingest.connections.length, 1);
  });
});
