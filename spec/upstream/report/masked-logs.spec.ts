import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest, type Script } from '../../support/ingest/scriptable-ingest.js';

const KEY = 'live_123456789_abcdefABCDEF12345';
const quick = { outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 } as const;

describe('no log line shows a stream key', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  const senders: KmpSender[] = [];

  async function start(script: Script, settings: Partial<MediaSettings> = {}): Promise<void> {
    ingest.script = { answers: true, ...script };
    service = await startKmp({ ...quick, ...settings });
  }

  async function publish(more: object = {}, minf = audioMinf()): Promise<KmpSender> {
    const url = `rtmp://me:hiddenpassword@127.0.0.1:${ingest.port}/app/${KEY}?token=hiddentoken`;
    const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url, ...more });
    senders.push(sender);
    sender.send(minf, frameAt(0, 'first', { key: true }));
    return sender;
  }

  /** All that was logged, read for what must not be there. */
  function checked(): string {
    const { text } = service.log;
    for (const secret of [KEY, 'hiddentoken', 'hiddenpassword', '123456789', 'hiddenname']) {
      assert.ok(!text.includes(secret), text);
    }
    return text;
  }

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
    await ingest.close();
  });

  it('in the life of a stream', async () => {
    await start({});
    const sender = await publish();
    await sender.acked(1n);
    // A second track of the kind, and one that comes too late: both are refused with a line.
    await (
      await publish()
    ).closed;
    await (
      await publish({}, videoMinf())
    ).closed;
    await (await publish({ name: 'hiddenname/hiddenname', app: 'x?token=hiddentoken' })).acked(1n);
    for (const one of senders) one.end();
    await service.ended();
    const text = checked();
    assert.match(text, /stream liv\*\*\* has a audio track already/);
    assert.match(text, /stream liv\*\*\* has sent its metadata without video/);
    assert.match(text, /"stream":"hid\*\*\*"/);
  });

  it('where a server quotes it', async () => {
    const description = `Stream "${KEY}?token=hiddentoken" (key ${KEY}, user me:hiddenpassword) is taken`;
    await start({ rejectPublish: { code: 'NetStream.Publish.BadName', description } });
    await publish();
    assert.equal((await service.ended()).reason, 'publish_rejected');
    assert.match(checked(), /BadName: Stream \\?"liv\*\*\*\\?" \(key liv\*\*\*, user me:hid\*\*\*\) is taken/);
  });

  it('of a stream that has ended, where another server than its own speaks of it', async () => {
    // A server that says nothing: no text was masked before.
    await start({ answers: false });
    const backup = `rtmp://127.0.0.1:${ingest.port}/backup`;
    await (await publish({ backup_urls: [`${backup}/${KEY}`] })).acked(1n);
    const second = await publish({ name: 'second', backup_urls: [`${backup}/hiddenname-of-the-second`] });
    await second.acked(1n);
    const note = { since: 0, by: null };
    const to = { url: `rtmp://127.0.0.1:${ingest.port}/other/s`, backupUrls: [], ...note };
    await service.registry.orders.send({ id: 'u1' }, to);
    second.end();
    await eventually(() => service.registry.get('u1')?.streams.size === 1, 'the end of the second stream');
    const text = service.registry.get('u1')?.mask('hiddenname-of-the-second is gone');
    assert.equal(text, 'hid*** is gone');
    checked();
  });

  it('where a server quotes it without refusing', async () => {
    await start({});
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    connection.sendStatus(1, 'status', 'NetStream.Publish.Start', `publishing /app/${KEY}`);
    await eventually(() => service.log.text.includes('publishing /app/'), 'the line');
    assert.match(checked(), /publishing \/app\/liv\*\*\*/);
  });

  for (const [what, url] of [
    ['no scheme of ours', `https://me:hiddenpassword@live.example/app/${KEY}`],
    ['no app', `rtmp://${KEY}`],
    ['an unescaped password', `rtmp://me:123456789/hiddenpassword@live.example/app/${KEY}`],
    ['a bad port', `rtmp://live.example:hiddentoken/app/${KEY}`],
    ['no stream', `rtmp://live.example/app?token=hiddentoken`],
  ] as const) {
    it(`where the url has ${what}`, async () => {
      await start({});
      const sender = await publish({ url });
      await sender.closed;
      assert.match(checked(), /KMP connection closed: /);
    });
  }
});
