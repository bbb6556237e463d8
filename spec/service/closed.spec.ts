import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { ClosedUpstream } from '../../lib/upstream/report/closed.js';
import { parseConfig } from '../../lib/config/load.js';
import { DnsServer } from '../support/network/dns-server.js';
import { freePort } from '../support/network/free-port.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../support/service/running-service.js';
import { ScriptableIngest, type Script } from '../support/ingest/scriptable-ingest.js';
import { serverTls } from '../support/network/tls-fixture.js';
import { until } from '../support/time/until.js';

const settings = `${AT_ONCE_DIRECTIVES}
  kmp_rtmp_out_answer_timeout 5s; kmp_rtmp_in_read_interval 0;`;

const KEY = 'live_5203_kDwq8sPzY';
const REFUSED = { code: 'NetStream.Publish.Unauthorized', description: `the key ${KEY} is not known` };
const REFUSES: Script = { answers: true, rejectPublish: REFUSED };

describe('how upstreams have ended stays in the API', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  const senders: KmpSender[] = [];

  async function start(media = ''): Promise<void> {
    running = await RunningService.start({ media: `${settings} ${media}` });
  }
  async function publish(id = 'u1', url = `rtmp://127.0.0.1:${ingest.port}/app/${KEY}`): Promise<KmpSender> {
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: id, url });
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'), frameAt(40, 'second'));
    return sender;
  }
  async function closed(query = ''): Promise<ClosedUpstream[]> {
    const { status, json } = await running.request('GET', `/api/closed${query}`);
    assert.equal(status, 200);
    return json as ClosedUpstream[];
  }
  const ended = (count: number, query = ''): Promise<ClosedUpstream[]> =>
    until(
      `${count} ends`,
      () => closed(query),
      (all) => all.reduce((sum, one) => sum + one.count, 0) >= count,
    );

  beforeEach(async () => {
    ingest = await ScriptableIngest.start(REFUSES);
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
  });

  it('a refused key: reason, the words of the server without the key, and what to do', async () => {
    await start();
    assert.deepEqual(await closed(), []);
    const before = Date.now();
    const sender = await publish();
    await sender.closed;
    const [record] = await ended(1);
    assert.ok(record !== undefined);
    assert.deepEqual(
      [record.upstream_id, record.reason, record.layer, record.failed, record.attempts, record.count],
      ['u1', 'publish_rejected', 'rtmp', true, 1, 1],
    );
    assert.equal(record.url, `rtmp://127.0.0.1:${ingest.port}/app/liv***`);
    const { code, description } = record.last_status ?? {};
    assert.deepEqual([code, description], [REFUSED.code, 'the key liv*** is not known']);
    assert.match(record.message, /NetStream\.Publish\.Unauthorized: the key liv\*\*\* is not known/);
    assert.equal(record.advice, 'The server refused the key: check it at the platform.');
    const times = [record.started_at, record.since, record.closed_at].map((time) => Date.parse(time));
    assert.ok(times.every((time) => time >= before - 1 && time <= Date.now()));
    assert.deepEqual([...times].sort(), times);
    assert.equal(record.lost.unacked_frames, 2);
    assert.doesNotMatch(JSON.stringify(record), new RegExp(KEY));
  });

  it('failures of one upstream in a row are one record, until it is live again', async () => {
    await start('kmp_rtmp_out_reconnect_interval 1ms;');
    for (let n = 0; n < 3; n++) {
      const sender = await publish();
      await sender.closed;
      await ended(n + 1);
    }
    const [record, ...rest] = await closed('?upstream_id=u1');
    assert.deepEqual([record?.count, rest.length, record?.live_again_at], [3, 0, null]);
    ingest.script = { answers: true };
    await publish();
    const [again] = await until('that it is live', closed, ([one]) => one?.live_again_at !== null);
    assert.equal(again?.count, 3);
  });

  it('answers the last ends first, as many as asked for, of the upstream asked for', async () => {
    await start();
    for (const id of ['a', 'b/c', 'd']) {
      await (
        await publish(id, `rtmp://127.0.0.1:${ingest.port}/app/${id}`)
      ).closed;
      await ended(1, `?upstream_id=${encodeURIComponent(id)}`);
    }
    const ids = async (query: string) => (await closed(query)).map((one) => one.upstream_id);
    assert.deepEqual(await ids(''), ['d', 'b/c', 'a']);
    assert.deepEqual(await ids('?limit=2'), ['d', 'b/c']);
    assert.deepEqual(await ids('?limit=99999999'), ['d', 'b/c', 'a']);
    assert.deepEqual(await ids('?upstream_id=b%2Fc'), ['b/c']);
    assert.deepEqual(await ids('?upstream_id=none'), []);
    for (const limit of ['0', '-1', 'x', '1.5', '']) {
      const { status, json } = await running.request('GET', `/api/closed?limit=${limit}`);
      assert.deepEqual([status, (json as { error: string }).error], [400, 'bad_request'], limit);
    }
  });

  it('an upstream that ended in order is no failure; a URL that is invalid is one', async () => {
    ingest.script = { answers: true };
    await start();
    const sender = await publish();
    await running.shows('u1', ({ state }) => state === 'publishing', 'publishing');
    sender.end();
    const [done] = await ended(1);
    assert.deepEqual([done?.reason, done?.failed, done?.advice, done?.attempts], ['done', false, '', 1]);
    assert.deepEqual(done?.lost, { dropped_frames: 0, unacked_frames: 0 });
    assert.equal(done?.since, done?.started_at);

    await (
      await publish('u2', 'http://127.0.0.1/app/secret-key')
    ).closed;
    const [invalid] = await ended(1, '?upstream_id=u2');
    assert.deepEqual([invalid?.reason, invalid?.layer, invalid?.attempts], ['start_resolve_failed', 'dns', 0]);
    assert.doesNotMatch(JSON.stringify(invalid), /secret-key/);
  });

  it('tells failures of DNS, TCP, TLS and RTMP apart, and says what to do', async (t) => {
    const dns = await DnsServer.start({});
    const http = createServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const foreign = await ScriptableIngest.start({ tls: serverTls });
    t.after(async () => {
      await dns.close();
      http.close();
      await foreign.close();
    });
    await start(`resolver ${dns.address};`);
    const plain = (http.address() as AddressInfo).port;
    const cases: readonly [url: string, layer: string, advice: RegExp][] = [
      ['rtmp://no-such-host.test/app/k', 'dns', /name of the server could not be resolved/],
      [`rtmp://127.0.0.1:${await freePort()}/app/k`, 'tcp', /Nothing listens/],
      [`rtmps://127.0.0.1:${plain}/app/k`, 'tls', /does not speak TLS at this port/],
      [`rtmps://127.0.0.1:${foreign.port}/app/k`, 'tls', /certificate of the server is not accepted/],
      [`rtmp://127.0.0.1:${plain}/app/k`, 'rtmp', /does not answer as an RTMP server/],
    ];
    for (const [n, [url, layer, advice]] of cases.entries()) {
      await (
        await publish(`u${n}`, url)
      ).closed;
      const [record] = await ended(1, `?upstream_id=u${n}`);
      assert.equal(record?.layer, layer, `${url}: ${record?.message}`);
      assert.match(record?.advice ?? '', advice);
    }
  });

  it('since when it failed, and how often it was tried since then', async () => {
    ingest.script = { answers: true };
    await start('kmp_rtmp_out_reconnects 2; kmp_rtmp_out_reconnect_interval 1ms;');
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    await running.shows('u1', ({ state }) => state === 'publishing', 'publishing');
    ingest.script = { answers: true, rejectConnect: { code: 'NetConnection.Connect.Rejected', description: 'full' } };
    connection.reset();
    const [record] = await ended(1);
    // The connection that broke, and two more attempts.
    assert.deepEqual([record?.reason, record?.attempts], ['connect_rejected', 3]);
    assert.ok(Date.parse(record?.since ?? '') >= Date.parse(record?.started_at ?? ''));
  });

  it('survives a reload of the configuration', async () => {
    await start();
    await (
      await publish()
    ).closed;
    const before = await ended(1);
    await running.service.reload(
      parseConfig(`stream { server { listen 127.0.0.1:0; kmp_rtmp; kmp_rtmp_out_reconnects 7; } }
        http { server { listen 127.0.0.1:0; location /api/ { kmp_rtmp_api; } } }`),
    );
    assert.deepEqual(await closed(), before);
  });
});
