import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Config } from '../../lib/config/config.js';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import type { GlobalStatus, UpstreamStatus } from '../../lib/upstream/report/status.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { freePort } from '../support/network/free-port.js';
import { send, type Reply } from '../support/network/http.js';
import { frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { LogLines } from '../support/service/log-lines.js';
import { noRedis, startRedis, type Redis } from '../support/programs/redis.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

const TOKEN = '0123456789abcdef0123456789abcdef';

interface Node {
  readonly service: Service;
  readonly http: number;
  readonly kmp: number;
  /** Reads its configuration and files again. */
  reload(): Promise<void>;
}

describe('services of a fleet', { timeout: 120_000, skip: noRedis }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-services-'));
  const nodes = new Map<string, Node>();
  const senders: KmpSender[] = [];
  let redis: Redis;
  let ingest: ScriptableIngest;
  let fleets = 0;

  before(async () => {
    redis = await startRedis();
    writeFileSync(join(folder, 'token'), `${TOKEN}\n`);
  });
  after(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    fleets++;
    ingest = await ScriptableIngest.start({ answers: true });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    for (const { service } of nodes.values()) service.kill();
    nodes.clear();
    await ingest.close();
  });

  async function start(name: string, rules = '', tokenFile = 'token'): Promise<Node> {
    const [kmp, http, other] = [await freePort(), await freePort(), await freePort()];
    const text = `fleet { engine redis://127.0.0.1:${redis.port}; name view-${fleets};
        node ${name} kmp=127.0.0.1:${kmp} http=127.0.0.1:${http}; peer_token_file ${tokenFile}; peer_timeout 30s; engine_timeout 5s; }
      stream { server { listen 127.0.0.1:${kmp}; kmp_rtmp; } }
      http {
        server { listen 127.0.0.1:${http}; ${rules}
          location /api/ { kmp_rtmp_api write=on; }
          location /metrics { kmp_rtmp_metrics; }
          location /health { kmp_rtmp_health; } }
        server { listen 127.0.0.1:${other}; location / { kmp_rtmp_status; } }
      }`;
    const config = (): Config => parseConfig(text, join(folder, 'k.conf'));
    const service = new Service(config(), { log: new LogLines() });
    await service.start();
    const node = { service, http, kmp, reload: () => service.reload(config()) };
    nodes.set(name, node);
    return node;
  }

  async function publish(node: Node, id: string): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/${id}`;
    const sender = await KmpSender.open(node.kmp, { upstream_id: id, url });
    senders.push(sender);
    sender.send(videoMinf(), frameAt(0, 'v0', { key: true }));
    return sender;
  }
  const get = (node: Node, path: string): Promise<Reply> => send(node.http, 'GET', path);
  const status = async (node: Node): Promise<GlobalStatus> => (await get(node, '/api/')).json as GlobalStatus;
  const shows = (node: Node, id: string) =>
    until(
      `upstream ${id}`,
      async () => (await get(node, `/api/upstreams/${id}`)).json as UpstreamStatus,
      ({ state }) => state === 'publishing',
    );
  const together = (node: Node, count: number) =>
    until(
      'all nodes',
      () => status(node),
      ({ nodes: all = {}, missing_nodes: missing = [] }) => Object.keys(all).length === count && missing.length === 0,
    );

  it('find each other by the engine, and each shows and changes what the others have', async () => {
    const [n1, n2, n3] = [await start('n1'), await start('n2'), await start('n3')];
    for (const node of [n1, n2, n3]) await together(node, 3);
    const sender = await publish(n2, 'a');
    assert.equal((await shows(n3, 'a')).node, 'n2');
    const metrics = (await get(n1, '/metrics')).text;
    assert.match(metrics, /^kmp_rtmp_fleet_engine_up 1$/m);
    assert.match(metrics, /^kmp_rtmp_fleet_nodes\{state="alive"\} 3$/m);
    assert.doesNotMatch(metrics, /^kmp_rtmp_upstream_state/m);
    assert.match((await get(n1, '/metrics?fleet=1')).text, /^kmp_rtmp_upstream_state\{upstream="a",node="n2"/m);
    await until(
      'the state of the peers',
      async () => (await get(n1, '/metrics')).text,
      (text) => /fleet_peer_up\{node="n2"\} 1/.test(text) && /fleet_peer_up\{node="n3"\} 1/.test(text),
    );
    assert.equal((await send(n1.http, 'DELETE', '/api/upstreams/a')).status, 204);
    await sender.closed;
  });

  it('readyz is 503 until a new node has reached the engine, or for 10 s', async () => {
    const [http, engine] = [await freePort(), await freePort()];
    const config = parseConfig(
      `fleet { engine redis://127.0.0.1:${engine}; name view; node n1 kmp=127.0.0.1:1 http=127.0.0.1:${http}; peer_token_file token; }
      stream { server { listen 127.0.0.1:0; kmp_rtmp; } }
      http { server { listen 127.0.0.1:${http}; location /health { kmp_rtmp_health; } } }`,
      join(folder, 'k.conf'),
    );
    const clock = new FakeClock();
    const service = new Service(config, { log: new LogLines(), clock });
    await service.start();
    try {
      const before = await send(http, 'GET', '/health/readyz');
      assert.equal(before.status, 503);
      assert.match(before.text, /the node has not reached the engine of the fleet yet/);
      clock.jump(10_000);
      const after = await send(http, 'GET', '/health/readyz');
      assert.equal(after.status, 200);
      assert.match(after.text, /the engine of the fleet does not answer/);
    } finally {
      service.kill();
    }
  });

  it('a node that dies is named, with the reason', async () => {
    const [n1, n2] = [await start('n1'), await start('n2')];
    await together(n1, 2);
    n2.service.kill();
    const { nodes: all } = await until(
      'the missing node',
      () => status(n1),
      ({ missing_nodes: missing }) => missing?.join() === 'n2',
    );
    assert.match(all?.['n2']?.missing ?? '', /nothing listens at its HTTP address|cannot be asked|was cut/);
    assert.equal((await get(n1, '/api/upstreams/a')).status, 503);
  });

  it('the peer token is changed by reloads, and at no time do the nodes miss each other', async () => {
    const next = 'fedcba9876543210fedcba9876543210';
    const write = (name: string, ...tokens: string[]): void =>
      writeFileSync(join(folder, `token-${name}`), `${tokens.join('\n')}\n`);
    for (const name of ['n1', 'n2']) write(name, TOKEN);
    const [n1, n2] = [await start('n1', '', 'token-n1'), await start('n2', '', 'token-n2')];
    const steps: readonly (readonly [name: string, node: Node, ...tokens: string[]])[] = [
      ['n1', n1, TOKEN, next],
      ['n2', n2, TOKEN, next],
      ['n2', n2, next, TOKEN],
      ['n1', n1, next, TOKEN],
      ['n1', n1, next],
      ['n2', n2, next],
    ];
    for (const node of [n1, n2]) await together(node, 2);
    for (const [name, changed, ...tokens] of steps) {
      write(name, ...tokens);
      await changed.reload();
      for (const node of [n1, n2]) assert.deepEqual((await status(node)).missing_nodes, [], `${name} has ${tokens}`);
    }
    const headers = (token: string): Record<string, string> => ({
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    });
    const ping = (token: string): Promise<Reply> =>
      send(n1.http, 'POST', '/fleet/peer/1/ask', headers(token), '127.0.0.1', '{"name":"ping"}');
    assert.equal((await ping(next)).status, 200);
    assert.equal((await ping(TOKEN)).status, 401);
    // A node that does not know the new token is named, with the reason.
    write('n1', TOKEN);
    await n1.reload();
    const { missing_nodes: missing, nodes: all } = await status(n1);
    assert.deepEqual(missing, ['n2']);
    assert.match(all?.['n2']?.missing ?? '', /does not accept the peer token/);
  });

  it('the paths for nodes are on the server that http= names, behind its rules, and only there', async () => {
    const n1 = await start('n1');
    const ask = (port: number, token: string) =>
      send(port, 'POST', '/fleet/peer/1/ask', { authorization: `Bearer ${token}`, host: 'n1.example' });
    assert.equal((await ask(n1.http, TOKEN)).status, 400);
    assert.equal((await ask(n1.http, 'wrong')).status, 401);
    const other = n1.service.httpAddresses.find(({ port }) => port !== n1.http);
    assert.equal((await ask(other?.port ?? 0, TOKEN)).status, 421);
    const n2 = await start('n2', 'deny all;');
    // Its locations have the rules of the server, so it closes the connection.
    await assert.rejects(ask(n2.http, TOKEN));
  });

  it('readyz stays 200 without the engine, and says so', async () => {
    const n1 = await start('n1');
    const ready = (): Promise<Reply> => get(n1, '/health/readyz');
    await until('the engine', ready, ({ json }) => (json as { note?: string }).note === undefined);
    await redis.kill();
    const reply = await until('the note', ready, ({ json }) => (json as { note?: string }).note !== undefined);
    assert.equal(reply.status, 200);
    assert.match(reply.text, /"status":"ok","note":"the engine of the fleet does not answer \(/);
    await redis.restart();
    await until('the engine', ready, ({ json }) => (json as { note?: string }).note === undefined);
  });
});
