import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { Folder } from '../support/process/cli.js';
import { send, type Reply } from '../support/network/http.js';
import { audioMinf, KmpSender } from '../support/kmp/kmp-sender.js';

import { LogLines } from '../support/service/log-lines.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

const CONFIG = `
stream { server { listen 127.0.0.1:0; kmp_rtmp; kmp_rtmp_out_answer_timeout 0; } }
http {
  kmp_rtmp_api_token_file tokens;
  server {
    listen 127.0.0.1:0;
    location / { kmp_rtmp_status; kmp_rtmp_health; }
    location /api/ { kmp_rtmp_api write=on; }
    location /metrics { kmp_rtmp_metrics; }
    location /control { kmp_rtmp_control; kmp_rtmp_route . rtmp://192.0.2.1/app/$&; }
  }
}`;
const TOKENS = 'grafana read r-token\nnight write w-token\nencoder control c-token\nadmin all a-token\n';
const CALLBACK = JSON.stringify({ event_type: 'connect', input_id: 'x' });

describe('tokens with names and roles', { timeout: 60_000 }, () => {
  let folder: Folder;
  let service: Service;
  let log: LogLines;
  let ingest: ScriptableIngest;
  const senders: KmpSender[] = [];

  beforeEach(async () => {
    folder = new Folder();
    ingest = await ScriptableIngest.start({ answers: true });
    folder.file('tokens', TOKENS);
    log = new LogLines();
    service = new Service(config(), { log });
    await service.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    service.kill();
    await ingest.close();
    folder.remove();
  });

  const config = (): ReturnType<typeof parseConfig> => parseConfig(CONFIG, `${folder.path}/kmp-rtmp.conf`);
  const request = (token: string | undefined, method: string, path: string, body?: string): Promise<Reply> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    return send(service.httpAddresses[0]?.port ?? 0, method, path, { ...headers, ...json }, '127.0.0.1', body);
  };
  /** Statuses of one request with: no token, a wrong one, and the four of the file. */
  const statuses = async (method: string, path: string, body?: string): Promise<number[]> => {
    const found: number[] = [];
    for (const token of [undefined, 'wrong', 'r-token', 'w-token', 'c-token', 'a-token']) {
      found.push((await request(token, method, path, body)).status);
    }
    return found;
  };
  const upstream = async (id: string): Promise<void> => {
    const port = service.kmpAddresses[0]?.port ?? 0;
    const sender = await KmpSender.open(port, { upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/s` });
    senders.push(sender);
    sender.send(audioMinf());
    await until(
      'an upstream',
      () => service.management.upstream(id),
      (found) => found !== undefined,
    );
  };

  it('let each request in that its role allows, and no other', async () => {
    assert.deepEqual(await statuses('GET', '/api/upstreams'), [401, 401, 200, 200, 403, 200]);
    assert.deepEqual(await statuses('GET', '/metrics'), [401, 401, 200, 200, 403, 200]);
    assert.deepEqual(await statuses('DELETE', '/api/upstreams/none'), [401, 401, 403, 404, 403, 404]);
    const multi = JSON.stringify([{ method: 'GET', uri: '/upstreams' }]);
    assert.deepEqual(await statuses('POST', '/api/multi', multi), [401, 401, 403, 200, 403, 200]);
    const elsewhere = JSON.stringify({ url: 'rtmp://192.0.2.1/app/x' });
    const path = '/api/upstreams/none/elsewhere';
    assert.deepEqual(await statuses('POST', path, elsewhere), [401, 401, 403, 404, 403, 404]);
    assert.deepEqual(await statuses('DELETE', path), [401, 401, 403, 404, 403, 404]);
    assert.deepEqual(await statuses('GET', '/api/orders'), [401, 401, 200, 200, 403, 200]);
    assert.deepEqual(await statuses('DELETE', '/api/orders/99'), [401, 401, 403, 404, 403, 404]);
    assert.deepEqual(await statuses('POST', '/control', CALLBACK), [401, 401, 403, 403, 200, 200]);
    assert.deepEqual(await statuses('GET', '/healthz'), [200, 200, 200, 200, 200, 200]);
  });

  it('do not help a page of another site', async () => {
    const port = service.httpAddresses[0]?.port ?? 0;
    const headers = { authorization: 'Bearer a-token', 'sec-fetch-site': 'cross-site' };
    for (const path of ['/control', '/api/multi']) {
      assert.equal((await send(port, 'POST', path, headers, '127.0.0.1', CALLBACK)).status, 403, path);
    }
  });

  it('name the token that lacks a role', async () => {
    const { json } = await request('r-token', 'DELETE', '/api/upstreams/none');
    assert.deepEqual(json, { error: 'forbidden', message: 'the token "grafana" does not have the role "write"' });
  });

  it('put the name and the address behind each drop into the log', async () => {
    await upstream('u1');
    assert.equal((await request('w-token', 'DELETE', '/api/upstreams/u1')).status, 204);
    await upstream('u3');
    const there = JSON.stringify({ url: `rtmp://127.0.0.1:${ingest.port}/app/secret-key` });
    assert.equal((await request('w-token', 'POST', '/api/upstreams/u3/elsewhere', there)).status, 204);
    assert.match(
      log.text,
      /info API: POST \/upstreams\/u3\/elsewhere done, for "night" \([^)]*\): rtmp:.*\/app\/se\*\*\*/,
    );
    assert.doesNotMatch(log.text, /secret-key/);
    const [order] = (await request('r-token', 'GET', '/api/orders')).json as Record<string, unknown>[];
    assert.deepEqual([order?.['upstream_id'], order?.['by']], ['u3', 'night']);
    assert.doesNotMatch(JSON.stringify(order), /secret-key/);
    await upstream('u2');
    const multi = JSON.stringify([{ method: 'DELETE', uri: '/upstreams/u2' }]);
    assert.equal((await request('a-token', 'POST', '/api/multi', multi)).status, 200);
    assert.match(log.text, /info API: DELETE \/upstreams\/u1 done, for "night" \(127\.0\.0\.1:\d+\)/);
    assert.match(log.text, /info API: DELETE \/upstreams\/u2 done, for "admin" \(127\.0\.0\.1:\d+\)/);
    assert.doesNotMatch(log.text, /-token/);
  });

  it('are not needed for the page, only for its data', async () => {
    for (const path of ['/', '/main.js', '/data/feed.js', '/styles/theme.css', '/icon.svg']) {
      assert.equal((await request(undefined, 'GET', path)).status, 200, path);
    }
    for (const path of ['/events', '/events/', '/%65vents', '//events', '/nothing', '/data/../events']) {
      assert.equal((await request(undefined, 'GET', path)).status, 401, path);
    }
    // The page asks for the token itself: the browser must not.
    const { headers } = await request(undefined, 'GET', '/events');
    assert.equal(headers['www-authenticate'], 'Bearer realm="kmp-rtmp"');
  });

  it('are read again on a reload', async () => {
    folder.file('tokens', 'grafana read other\n');
    assert.equal((await request('r-token', 'GET', '/metrics')).status, 200);
    await service.reload(config());
    assert.equal((await request('r-token', 'GET', '/metrics')).status, 401);
    assert.equal((await request('other', 'GET', '/metrics')).status, 200);
    folder.file('tokens', 'grafana');
    assert.throws(config, /tokens:1: expected NAME ROLES TOKEN/);
  });
});
