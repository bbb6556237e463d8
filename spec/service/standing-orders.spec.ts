import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { StandingOrder } from '../../lib/upstream/report/orders.js';
import { KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

describe('standing orders of operators', { timeout: 90_000 }, () => {
  let here: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  async function open(id: string): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${here.port}/app/${id}`;
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: id, url });
    senders.push(sender);
    sender.send(videoMinf());
    return sender;
  }
  const orders = async (): Promise<StandingOrder[]> =>
    (await running.request('GET', '/api/orders')).json as StandingOrder[];
  const drop = async (id: string): Promise<void> => {
    assert.equal((await running.request('DELETE', `/api/upstreams/${id}`)).status, 204);
    await until(
      'the end of the upstream',
      () => running.status(),
      ({ upstreams }) => upstreams[id] === undefined,
    );
  };

  beforeEach(async () => {
    here = await ScriptableIngest.start({ answers: true });
    running = await RunningService.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await here.close();
  });

  it('are listed, the latest first, with masked URLs, also when their upstreams are gone', async () => {
    assert.deepEqual(await orders(), []);
    await open('u1');
    await open('u2');
    const there = `rtmp://user:password@127.0.0.1:${here.port}/other/secret-key-2`;
    const backup = `rtmp://127.0.0.1:${here.port}/backup/secret-key-3`;
    await running.shows('u1', ({ state }) => state === 'publishing', 'u1 is published');
    await running.shows('u2', ({ state }) => state === 'publishing', 'u2 is published');
    const before = Date.now();
    const body = { url: there, backup_urls: [backup] };
    assert.equal((await running.postJson('/api/upstreams/u1/elsewhere', body)).status, 204);
    assert.equal((await running.request('POST', '/api/upstreams/u2/disable')).status, 204);
    const route = encodeURIComponent('rtmp://192.0.2.1/nobody');
    assert.equal((await running.request('POST', `/api/routes/${route}/disable`)).status, 200);
    await drop('u1');
    await drop('u2');
    const listed = await orders();
    for (const { since } of listed) assert.ok(Date.parse(since) >= before - 1);
    assert.deepEqual(
      listed.map(({ since: _, ...rest }) => rest),
      [
        {
          order: 3,
          kind: 'disabled',
          upstream_id: null,
          route: 'rtmp://192.0.2.1/nobody',
          url: null,
          backup_urls: [],
          by: null,
        },
        { order: 2, kind: 'disabled', upstream_id: 'u2', route: null, url: null, backup_urls: [], by: null },
        {
          order: 1,
          kind: 'elsewhere',
          upstream_id: 'u1',
          route: null,
          url: `rtmp://***@127.0.0.1:${here.port}/other/sec***`,
          backup_urls: [`rtmp://127.0.0.1:${here.port}/backup/sec***`],
          by: null,
        },
      ],
    );
  });

  it('keep their number and time when they are given again, and are gone when they are taken back', async () => {
    await open('u1');
    await running.shows('u1', ({ state }) => state === 'publishing', 'u1 is published');
    for (let n = 0; n < 2; n++) await running.request('POST', '/api/upstreams/u1/disable');
    const [order, ...others] = await orders();
    assert.deepEqual([order?.order, others], [1, []]);
    await running.request('POST', '/api/upstreams/u1/enable');
    assert.deepEqual(await orders(), []);
  });

  it('can be changed while their upstreams are absent', async () => {
    await open('u1');
    await running.shows('u1', ({ state }) => state === 'publishing', 'u1 is published');
    const to = (app: string): { url: string } => ({ url: `rtmp://127.0.0.1:${here.port}/${app}/u1` });
    const path = '/api/upstreams/u1';
    assert.equal((await running.postJson(`${path}/elsewhere`, to('second'))).status, 204);
    assert.equal((await running.request('POST', `${path}/disable`)).status, 204);
    await drop('u1');
    assert.equal((await running.postJson(`${path}/elsewhere`, { url: 'http://127.0.0.1/a/b' })).status, 422);
    assert.equal((await running.postJson(`${path}/elsewhere`, to('third'))).status, 204);
    assert.equal((await running.request('POST', `${path}/disable`)).status, 204, 'it is disabled already');
    const urls = (await orders()).map(({ kind, url }) => `${kind} ${url ?? ''}`).sort();
    assert.deepEqual(urls, ['disabled ', `elsewhere rtmp://127.0.0.1:${here.port}/third/***`]);
    assert.equal((await running.request('POST', `${path}/enable`)).status, 204);
    await open('u1');
    const shown = await running.shows('u1', ({ state }) => state === 'publishing', 'u1 is published there');
    assert.equal(shown.destination_url, to('third').url);
    assert.equal((await running.request('DELETE', `${path}/elsewhere`)).status, 204);
    await drop('u1');
    // Without an order, there is nothing to change.
    assert.equal((await running.postJson(`${path}/elsewhere`, to('second'))).status, 404);
    assert.equal((await running.request('POST', `${path}/disable`)).status, 404);
  });

  it('are taken back by number, while their upstreams are absent too', async () => {
    await open('u1');
    await running.shows('u1', ({ state }) => state === 'publishing', 'u1 is published');
    assert.equal((await running.request('POST', '/api/upstreams/u1/disable')).status, 204);
    const to = { url: `rtmp://127.0.0.1:${here.port}/other` };
    const route = encodeURIComponent(`rtmp://127.0.0.1:${here.port}/app`);
    assert.equal((await running.postJson(`/api/routes/${route}/elsewhere`, to)).status, 200);
    await drop('u1');
    assert.equal((await running.request('DELETE', '/api/orders/7')).status, 404);
    assert.equal((await running.request('DELETE', '/api/orders/x')).status, 400);
    assert.equal((await running.request('DELETE', '/read/orders/1')).status, 405);
    for (const { order } of await orders()) {
      assert.equal((await running.request('DELETE', `/api/orders/${order}`)).status, 204);
    }
    assert.match(running.log.text, /API: DELETE \/orders\/1 done, for 127\.0\.0\.1:\d+: upstream u1 was disabled/);
    assert.deepEqual(await orders(), []);
    await open('u1');
    const shown = await running.shows('u1', ({ state }) => state === 'publishing', 'u1 is published again');
    assert.equal(shown.elsewhere, null);
  });
});
