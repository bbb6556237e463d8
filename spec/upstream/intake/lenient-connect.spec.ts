import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { audioMinf, frameAt, KmpSender } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import type { IngestConnection } from '../../support/ingest/script-connection.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

describe('settings that the nginx module accepts', { timeout: 90_000 }, () => {
  it('publish with buffers of 1 byte, and with times of a month', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', note);
    const month = 30 * 86_400_000;
    const times = { inReadTimeout: month, inSendTimeout: month, outTimeout: month, outNotifTimeout: month };
    const ingest = await ScriptableIngest.start();
    const service = await startKmp({ ...times, inBufferSize: 1, outMinProcessDelay: 100, outFlushTimeout: 10 });
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url });
    sender.send(audioMinf());
    for (let i = 0; i < 20; i++) sender.send(frameAt(i, `sound ${i}.`));
    await (await ingest.next()).message(({ payload }) => payload.includes('sound 19.'));
    await sender.acked(20n);
    await service.close();
    await ingest.close();
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });
});

describe('connect data that the nginx module accepts', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    service = await startKmp({ outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 });
  });
  afterEach(async () => {
    await service.close();
    await ingest.close();
  });

  /** Publishes one audio frame, and returns the connection that it arrived on. */
  async function publish(path: string, more: object = {}): Promise<IngestConnection> {
    const url = `rtmp://127.0.0.1:${ingest.port}${path}`;
    const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url, ...more });
    sender.send(audioMinf(), frameAt(0, 'sound'));
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes('sound'));
    return connection;
  }

  /** The app of the connect command, and the name of the publish command. */
  async function target(connection: IngestConnection): Promise<readonly unknown[]> {
    const [, , object] = await connection.command('connect');
    const publication = await connection.command('publish');
    return [Reflect.get(Object(object), 'app'), publication[3]];
  }

  it('ignores optional fields that are null or of another type, with one warning', async () => {
    const wrong = {
      header: null,
      opaque: 5,
      app: [],
      name: {},
      flash_ver: true,
      swf_url: null,
      tc_url: 1,
      page_url: null,
    };
    assert.deepEqual(await target(await publish('/app/s', wrong)), ['app', 's']);
    const warnings = service.log.text.split('\n').filter((line) => /connect data/.test(line));
    assert.equal(warnings.length, 1, service.log.text);
    assert.match(warnings[0] ?? '', /header \(null\), opaque \(a number\), app \(an array\), name \(an object\)/);
  });

  it('publishes an empty name for a URL without a stream', async () => {
    assert.deepEqual(await target(await publish('/app')), ['app', '']);
  });

  it('publishes an empty name if the connect data has one', async () => {
    assert.deepEqual(await target(await publish('/app/s', { name: '' })), ['app', '']);
  });

  it('takes app and name from the connect data if the URL has neither', async () => {
    assert.deepEqual(await target(await publish('', { app: 'live', name: 'key' })), ['live', 'key']);
    assert.deepEqual(Object.keys(service.registry.get('u1')?.status().streams ?? {}), ['key']);
  });

  it('uses the second segment of the path as the name', async () => {
    assert.deepEqual(await target(await publish('/app/key/')), ['app', 'key']);
  });
});
