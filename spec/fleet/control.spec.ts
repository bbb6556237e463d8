import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { checkSignature } from '../../lib/kmp/signature.js';
import { Service } from '../../lib/service.js';
import { freePort } from '../support/network/free-port.js';
import { send } from '../support/network/http.js';
import { KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { videoFrames } from '../support/service/live.js';
import { LogLines } from '../support/service/log-lines.js';
import { noRedis, startRedis, type Redis } from '../support/programs/redis.js';
import { until } from '../support/time/until.js';

const SECRET = 'a-secret-of-senders-0123456789';

interface Node {
  readonly service: Service;
  readonly http: number;
  readonly kmp: number;
  readonly log: LogLines;
}

interface Answer {
  readonly code: string;
  readonly channel_id: string;
  readonly track_id: string;
  readonly upstreams: readonly { readonly id: string; readonly url: string; readonly connect_data: string }[];
  readonly url?: string;
}

describe('control in a fleet', { timeout: 110_000, skip: noRedis }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-control-'));
  const nodes: Node[] = [];
  let redis: Redis;
  let fleets = 0;

  before(async () => {
    redis = await startRedis();
    writeFileSync(join(folder, 'token'), '0123456789abcdef0123456789abcdef\n');
  });
  after(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(({ service }) => service.stop()));
  });

  async function start(name: string, { secret = false, main = '', control = '' } = {}): Promise<Node> {
    const [kmp, http] = [await freePort(), await freePort()];
    const text = `fleet { engine redis://127.0.0.1:${redis.port}; name spec-${fleets};
        node ${name} kmp=127.0.0.1:${kmp} http=127.0.0.1:${http}; peer_token_file token; engine_timeout 1500ms; ${main} }
      stream { server { listen 127.0.0.1:${kmp}; kmp_rtmp; ${secret ? `kmp_rtmp_in_secret ${SECRET};` : ''} } }
      http { server { listen 127.0.0.1:${http};
        location /control { kmp_rtmp_control ${control}; kmp_rtmp_route "^(.+)$" rtmp://192.0.2.1/app/$1 rtmp://192.0.2.2/app/$1; }
        location /health { kmp_rtmp_health; } } }`;
    const log = new LogLines();
    const config = parseConfig(text, join(folder, 'k.conf'));
    const service = new Service(config, { log });
    await service.start();
    const node = { service, http, kmp, log };
    nodes.push(node);
    return node;
  }

  /** Nodes that are in one fleet and know each other. */
  async function fleet(names: readonly string[], options = {}): Promise<Node[]> {
    fleets++;
    const all = await Promise.all(names.map((name) => start(name, options)));
    await until(
      'the nodes of the fleet',
      () => Promise.resolve(all.map(({ service }) => service.fleet?.nodes.length)),
      (counts) => counts.every((count) => count === names.length),
    );
    return all;
  }

  async function ask(node: Node, body: object): Promise<Answer> {
    const type = { 'content-type': 'application/json' };
    const { status, json } = await send(node.http, 'POST', '/control', type, '127.0.0.1', JSON.stringify(body));
    assert.equal(status, 200);
    return json as Answer;
  }

  function publish(name: string, media: 'video' | 'audio', event = 'publish', id?: string): object {
    return { event_type: event, input_id: name, media_info: { media_type: media }, rtmp: { name }, ...(id && { id }) };
  }

  function dataOf({ connect_data: data }: { readonly connect_data: string }): Record<string, unknown> {
    return JSON.parse(Buffer.from(data, 'base64').toString()) as Record<string, unknown>;
  }

  it('sends both tracks of an upstream to one node, whichever node is asked', async () => {
    const [a, b, c] = (await fleet(['n1', 'n2', 'n3'])) as [Node, Node, Node];
    const used = new Set<unknown>();
    for (let i = 0; i < 12; i++) {
      const [video, audio] = await Promise.all([
        ask(a, publish(`cam-${i}`, 'video')),
        ask(b, publish(`cam-${i}`, 'audio')),
      ]);
      assert.equal(video.upstreams.length, 2);
      for (const [k, upstream] of video.upstreams.entries()) {
        const other = audio.upstreams[k];
        assert.ok(other);
        assert.equal(other.url, upstream.url);
        assert.deepEqual(dataOf(other), dataOf(upstream));
        const { fleet_node: node, fleet_epoch: epoch } = dataOf(upstream);
        const expected = { n1: a.kmp, n2: b.kmp, n3: c.kmp }[String(node)];
        assert.equal(upstream.url, `kmp://127.0.0.1:${expected}`);
        assert.ok(typeof epoch === 'number' && epoch > 1.7e12);
        used.add(node);
        const again = await ask(c, publish(`cam-${i}`, 'audio', 'republish', upstream.id));
        assert.equal(again.url, upstream.url);
      }
    }
    assert.equal(used.size, 3, 'each node has some');
    assert.match(a.log.text, /control: publish of "cam\*\*\*|control: publish of "c/);
  });

  it('signs the placement', async () => {
    const [a] = (await fleet(['n1'], { secret: true })) as [Node];
    const { upstreams, channel_id: channelId, track_id: trackId } = await ask(a, publish('cam', 'video'));
    const [upstream] = upstreams;
    assert.ok(upstream);
    const text = Buffer.from(upstream.connect_data, 'base64');
    const secrets = [{ name: '', secret: SECRET }];
    const now = Date.now() / 1000;
    assert.deepEqual(checkSignature({ data: text, channelId, trackId }, secrets, now), { signer: '' });
    assert.equal(dataOf(upstream)['fleet_node'], 'n1');
    const forged = Buffer.from(text.toString().replace('"fleet_node":"n1"', '"fleet_node":"n2"'));
    assert.ok('refusal' in checkSignature({ data: forged, channelId, trackId }, secrets, now));
  });

  it('sends senders of a node that died elsewhere at once', async () => {
    const all = await fleet(['n1', 'n2']);
    const [a, b] = all as [Node, Node];
    let upstream: Answer['upstreams'][number] | undefined;
    let name = '';
    for (let i = 0; dataOf(upstream ?? { connect_data: 'e30=' })['fleet_node'] !== 'n2'; i++) {
      name = `cam-${i}`;
      [upstream] = (await ask(a, publish(name, 'video'))).upstreams;
    }
    assert.ok(upstream);
    nodes.splice(nodes.indexOf(b), 1);
    // As a process that dies: it does not leave in order.
    b.service.kill();
    const after = await ask(a, publish(name, 'video', 'republish', upstream.id));
    assert.equal(after.url, `kmp://127.0.0.1:${a.kmp}`);
    const { fleet_node: node, fleet_epoch: epoch } = dataOf(after.upstreams[0] ?? { connect_data: 'e30=' });
    assert.equal(node, 'n1');
    assert.ok(Number(epoch) > Number(dataOf(upstream)['fleet_epoch']));
    assert.equal(a.service.fleet?.counters.takeovers, 1);
  });

  it('a node that ends names another one, although an upstream of its own still has to end', async () => {
    const [a, b] = (await fleet(['n1', 'n2'])) as [Node, Node];
    let upstream: Answer['upstreams'][number] | undefined;
    let name = '';
    for (let i = 0; dataOf(upstream ?? { connect_data: 'e30=' })['fleet_node'] !== 'n1'; i++) {
      name = `cam-${i}`;
      [upstream] = (await ask(a, publish(name, 'video'))).upstreams;
    }
    assert.ok(upstream);
    const { id } = upstream;
    // A server that accepts connections and says nothing.
    const silent = createServer((socket) => socket.on('error', () => {}));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `rtmp://127.0.0.1:${(silent.address() as AddressInfo).port}/app/x`;
    const sender = await KmpSender.open(a.kmp, { ...dataOf(upstream), url });
    let stopped: Promise<void> | undefined;
    try {
      sender.send(videoMinf(), ...videoFrames(0, 3));
      await until(
        'the upstream',
        () => Promise.resolve(a.service.fleet?.liveIds),
        (ids) => ids?.includes(id) === true,
      );
      // So nothing moves before the end.
      b.service.startDrain();
      await until(
        'the drain of the other node',
        () => Promise.resolve(a.service.fleet?.hasOtherNode),
        (has) => has === false,
      );
      nodes.splice(nodes.indexOf(a), 1);
      stopped = a.service.stop();
      const answer = await until(
        'the other node',
        () => ask(a, publish(name, 'audio', 'republish', id)),
        ({ url: place }) => place === `kmp://127.0.0.1:${b.kmp}`,
      );
      assert.equal(dataOf(answer.upstreams[0] ?? { connect_data: 'e30=' })['fleet_node'], 'n2');
    } finally {
      a.service.kill();
      await stopped;
      sender.destroy();
      silent.close();
    }
  });

  it('answers without the engine, and is ready', async () => {
    const own = redis;
    redis = await startRedis();
    try {
      const [a, b] = (await fleet(['n1', 'n2'])) as [Node, Node];
      const before = await ask(a, publish('cam', 'video'));
      await redis.kill();
      await until(
        'the end of the engine',
        () => Promise.resolve([a, b].map(({ service }) => service.fleet?.engineUp)),
        (ups) => ups.every((up) => up === false),
      );
      assert.deepEqual(await ask(a, publish('cam', 'video')), before);
      const [video, audio] = [await ask(a, publish('new', 'video')), await ask(b, publish('new', 'audio'))];
      assert.deepEqual(
        video.upstreams.map(({ url }) => url),
        audio.upstreams.map(({ url }) => url),
      );
      assert.equal((await send(a.http, 'GET', '/health/readyz')).status, 200);
      await redis.restart();
      await until(
        'the engine again',
        async () => dataOf((await ask(b, publish('later', 'video'))).upstreams[0] ?? { connect_data: 'e30=' }),
        ({ fleet_epoch: epoch }) => Number(epoch) > 0,
      );
    } finally {
      await Promise.all(nodes.splice(0).map(({ service }) => service.stop()));
      await redis.stop();
      redis = own;
    }
  });

  it('ignores kmp= of kmp_rtmp_control, with a warning', () => {
    const text = `fleet { engine redis://192.0.2.5; node n1 kmp=192.0.2.11:8005 http=192.0.2.11:8001; peer_token_file token; }
      stream { server { listen 127.0.0.1:1; kmp_rtmp; } }
      http { server { listen 127.0.0.1:2; location /c { kmp_rtmp_control kmp=192.0.2.1:1; kmp_rtmp_route "x" rtmp://192.0.2.1/a/x; } } }`;
    const { warnings } = parseConfig(text, join(folder, 'k.conf'));
    assert.deepEqual(
      warnings.map((warning) => warning.replace(folder, '')),
      [
        '/k.conf:3: "kmp=" of kmp_rtmp_control has no effect in a fleet: senders are sent to the node that owns the upstream',
      ],
    );
  });
});
