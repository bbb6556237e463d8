import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService, type ServiceSetup } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const quick = `
  ${AT_ONCE_DIRECTIVES}`;
const silent = (): void => {};

describe('the service notifies', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  async function start(media = '', setup: ServiceSetup = {}): Promise<void> {
    running = await RunningService.start({ ...setup, media: quick + media });
  }

  async function publish(id = 'id1'): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/stream`;
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: id, url });
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'));
    return sender;
  }

  const body = (reason: string, id = 'id1', event = 'rtmp_close'): string =>
    `{"event_type":"${event}","reason":"${reason}","upstream_id":"${id}",` +
    `"url":"rtmp://127.0.0.1:${ingest.port}/app/stream","header":"","opaque":""}`;

  const bodies = (): string[] => running.target.requests.map((request) => request.body);

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
  });

  it('of each upstream that ends, once, in the documented words and with the added headers', async () => {
    await start('kmp_rtmp_out_notif_add_header X-Secret s3cret;');
    const sender = await publish();
    await (await ingest.next()).command('publish');
    sender.end();
    await running.notified();
    await publish('id2');
    await (await ingest.next()).command('publish');
    assert.equal((await running.request('DELETE', '/api/upstreams/id2')).status, 204);
    await running.notified();
    await publish('id3');
    const connection = await ingest.next();
    await connection.command('publish');
    connection.reset();
    await running.notified();
    assert.deepEqual(bodies(), [body('done'), body('api_delete', 'id2'), body('recv_failed', 'id3')]);
    for (const { head } of running.target.requests) assert.match(head, /^x-secret: s3cret\r?$/im);
    await running.service.stop();
    assert.equal(running.unseen, 0);
  });

  it('of what the server refused, in its words', async () => {
    ingest.script = {
      answers: true,
      rejectPublish: { code: 'NetStream.Publish.BadName', description: 'already taken' },
    };
    await start();
    await publish();
    await running.notified();
    assert.equal(
      bodies()[0],
      body('publish_rejected').slice(0, -1) +
        ',"status":{"level":"error","code":"NetStream.Publish.BadName","description":"already taken"}}',
    );
  });

  it('of reconnects, where they are asked for', async () => {
    await start(`kmp_rtmp_out_reconnects 3; kmp_rtmp_out_reconnect_interval 1ms;
      kmp_rtmp_out_notif_events rtmp_close rtmp_reconnect;`);
    const sender = await publish();
    const first = await ingest.next();
    await first.command('publish');
    // The last that goes out by itself (Window Acknowledgement Size): a write would notice the reset first.
    await first.message(({ type }) => type === 5);
    first.reset();
    await running.notified();
    await (await ingest.next()).command('publish');
    sender.end();
    await running.notified();
    assert.deepEqual(bodies(), [body('recv_failed', 'id1', 'rtmp_reconnect'), body('done')]);
  });

  it('without holding media up, though the target hangs', async () => {
    await start('', { answer: silent });
    const ended = await publish();
    await (await ingest.next()).command('publish');
    ended.end();
    await running.notified();
    const next = await publish();
    await next.acked(1n);
    next.send(frameAt(20, 'second'));
    await next.acked(2n);
    assert.equal(running.target.open.size, 1, 'the target still hangs');
  });

  it('before it has stopped, of what it stops', async () => {
    await start();
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    await running.service.stop();
    assert.deepEqual(bodies(), [body('shutdown')]);
    assert.equal(connection.commands('deleteStream').length, 1, 'the stream was unpublished');
  });

  it('no longer than worker_shutdown_timeout', async () => {
    await start('', { main: 'worker_shutdown_timeout 300ms;', answer: silent });
    await publish();
    await (await ingest.next()).command('publish');
    await running.service.stop();
    assert.equal(running.target.requests.length, 1);
    assert.match(running.log.text, /notification to .* failed: cancelled because the service is stopping/);
  });

  it('and has dumps on disk when it has stopped', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-stop-'));
    await start(`kmp_rtmp_in_dump_folder "${folder}";`);
    const sender = await publish();
    await sender.acked(1n);
    await running.service.stop();
    const [name = ''] = readdirSync(folder);
    assert.ok(readFileSync(join(folder, name)).includes('first'));
    rmSync(folder, { recursive: true });
  });
});
