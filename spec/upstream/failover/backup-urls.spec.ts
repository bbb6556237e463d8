import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Destinations } from '../../support/ingest/destinations.js';
import { eventually } from '../../support/time/eventually.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { audioFrames } from '../../support/service/live.js';
import type { KmpSender } from '../../support/kmp/kmp-sender.js';
import type { Script } from '../../support/ingest/scriptable-ingest.js';

const denied = { code: 'NetStream.Publish.Denied', description: 'no' };

describe('backup URLs', { timeout: 90_000 }, () => {
  let site: Destinations;
  afterEach(() => site.close());

  /** A primary destination that refuses everything, so that the backup is used. */
  async function start(
    scripts: readonly Script[] = [{}],
    options: Parameters<typeof Destinations.start>[1] = {},
  ): Promise<void> {
    site = await Destinations.start(scripts, {
      script: { rejectPublish: denied },
      settings: { outWriteMetaTimeout: 0 },
      ...options,
    });
  }

  /** A stream of audio alone, whose video is not waited for. */
  async function audio(name: string, data: object): Promise<KmpSender> {
    const sender = await site.live.audio({ url: site.live.url(name), ...data });
    sender.send(...audioFrames(0, 3));
    await site.live.received('audio', 3, name);
    site.clock.advance(0);
    return sender;
  }

  it('that are invalid, or the same as another one, are left out with a log line without the key', async () => {
    await start();
    const primary = site.live.url('s3cretkey');
    const backup_urls = [
      'http://example.test/app/s3cretkey',
      `rtmp://127.0.0.1:${site.live.ingest.port}/app/s3cretkey`,
      'rtmp://',
      site.url(1),
      site.url(1),
      7,
    ];
    await site.publish({ url: primary, backup_urls }, 's3cretkey');
    await site.inUse(1);
    assert.equal(site.live.upstream?.destinations.length, 2);
    const { text } = site.live.service.log;
    assert.match(text, /backup_urls\[0\] is ignored: the RTMP url has the scheme "http"/);
    assert.match(text, /backup_urls\[1\] is ignored: it is the same as url/);
    assert.match(text, /backup_urls\[2\] is ignored: the RTMP url has no app/);
    assert.match(text, /backup_urls\[4\] is ignored: it is the same as another backup/);
    assert.match(text, /connect data: ignored, because of a wrong type or number: backup_urls\[5\] \(a number\)/);
    assert.ok(!text.includes('s3cret'), text);
  });

  it('have app, name, query and login of their own; what they lack is that of the primary one', async () => {
    await start([{}, {}]);
    const [first, second] = site.backups.map(({ port }) => port);
    const data = {
      url: `rtmp://127.0.0.1:${site.live.ingest.port}/app/key?a=1`,
      app: 'other',
      name: 'mine',
      tc_url: 'rtmp://elsewhere/x',
      flash_ver: 'F',
      backup_urls: [`rtmp://127.0.0.1:${first}/live2?backup=1/their-key?b=2`, `rtmp://127.0.0.1:${second}`],
    };
    await site.publish(data, 'mine');
    const primary = await site.live.ingest.next();
    const parameters = (connect: readonly unknown[]): unknown[] => {
      const { app, tcUrl, flashVer } = Object(connect[2]) as Record<string, unknown>;
      return [app, tcUrl, flashVer];
    };
    assert.deepEqual(parameters(await primary.command('connect')), ['other', 'rtmp://elsewhere/x', 'F']);
    assert.equal((await primary.command('publish'))[3], 'mine');
    const backup = await site.backup(1).next();
    assert.deepEqual(parameters(await backup.command('connect')), [
      'live2?backup=1',
      `rtmp://127.0.0.1:${first}/live2?backup=1`,
      'F',
    ]);
    assert.equal((await backup.command('publish'))[3], 'their-key?b=2');
    await site.inUse(1);
    await site.backup(1).close();
    const last = await site.backup(2).next();
    assert.deepEqual(parameters(await last.command('connect')), ['other', `rtmp://127.0.0.1:${second}/other`, 'F']);
    assert.equal((await last.command('publish'))[3], 'mine');
  });

  it('get the header of the connect data, too', async () => {
    await start([{ headerLength: 6 }], { script: { headerLength: 6, rejectPublish: denied } });
    await site.publish({ header: 'PROXY\n' });
    const backup = await site.backup(1).next();
    await backup.until(() => framesOf(backup).length === 16);
  });

  it('must be allowed by kmp_rtmp_out_allow and kmp_rtmp_out_deny, each of them', async () => {
    const forbidden = new Set<number>();
    await start([{}, {}], { permit: (_address, port) => !forbidden.has(port) });
    forbidden.add(site.backup(1).port);
    await site.publish();
    await site.inUse(2);
    assert.equal(site.backup(1).connections.length, 0);
  });

  it('give each stream of an upstream its own name there', async () => {
    await start();
    const backup = (key: string): string => `rtmp://127.0.0.1:${site.backup(1).port}/spare/${key}`;
    await audio('one', { backup_urls: [backup('key-one')] });
    const first = await site.backup(1).next();
    await first.until(() => framesOf(first).length === 3);
    await audio('two', { backup_urls: ['rtmp://b.example/x/y', backup('key-two')] });
    await first.until(() => first.commands('publish').length === 2);
    // Without a URL for this backup, the name is the same everywhere: no key goes to another server.
    await audio('three', { backup_urls: ['rtmp://b.example/x/y'] });
    await first.until(() => first.commands('publish').length === 3);
    assert.deepEqual(
      first.commands('publish').map((command) => command[3]),
      ['key-one', 'key-two', 'three'],
    );
  });

  it('are for one stream, if the server refuses only that one', async () => {
    const rejectPublish = (_attempt: number, name: string): typeof denied | undefined =>
      name === 'two' ? denied : undefined;
    await start([{}], { script: { rejectPublish } });
    const data = (name: string): object => ({
      backup_urls: [`rtmp://127.0.0.1:${site.backup(1).port}/spare/key-${name}`],
    });
    const one = await audio('one', data('one'));
    const first = await site.live.ingest.next();
    await first.until(() => framesOf(first).length === 3);
    const two = await audio('two', data('two'));
    const spare = await site.backup(1).next();
    await spare.until(() => framesOf(spare).length === 3);
    assert.equal((await spare.command('publish'))[3], 'key-two');
    one.send(...audioFrames(3, 6));
    await first.until(() => framesOf(first).length === 6);
    assert.ok(!two.isClosed);
  });

  it('are not compared for a sender that returns: it continues the upstream', async () => {
    await start();
    const senders = await site.publish();
    await site.inUse(1);
    senders.audio.destroy();
    senders.video.destroy();
    await Promise.all([senders.audio.closed, senders.video.closed]);
    const again = await site.live.audio({ backup_urls: ['rtmp://b.example/x/y'] });
    await eventually(() => site.live.status().streams['s']?.tracks.audio?.input?.uptime !== undefined, 'the sender');
    assert.ok(!again.isClosed);
    assert.equal(site.live.service.registry.size, 1);
    assert.equal(site.live.status().destination, 1);
  });

  it('are named by the failover event: masked, with reason, positions and count', async () => {
    await start([{}], { settings: { outFailback: 60_000 }, script: {} });
    await site.publish();
    const first = await site.live.ingest.next();
    await first.until(() => framesOf(first).length === 16);
    first.sendStatus(1, 'error', 'NetStream.Publish.Denied', 'the key s is over, use key1');
    await site.inUse(1);
    const events = site.live.service.events.filter(({ type }) => type === 'failover');
    assert.deepEqual(events, [
      {
        type: 'failover',
        reason: 'publish_rejected',
        message: 'backup 1 of 1 is used: the server says: NetStream.Publish.Denied: the key s is over, use k***',
        from: `rtmp://127.0.0.1:${site.live.ingest.port}/app/***`,
        to: `rtmp://127.0.0.1:${site.backup(1).port}/spare1/k***`,
        from_index: 0,
        to_index: 1,
        destinations: 2,
      },
    ]);
    assert.match(site.live.service.log.text, /warn failover: backup 1 of 1 is used/);
  });
});
