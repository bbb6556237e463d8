import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { ClosedUpstream } from '../../lib/upstream/report/closed.js';
import type { StandingOrder } from '../../lib/upstream/report/orders.js';
import { WorkerUnavailable } from '../../lib/upstream/report/unavailable.js';
import type { FleetNode } from '../support/fleet/fleet-node.js';
import { StaticFleet } from '../support/fleet/fleet-node.js';
import { frameAt } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

describe('the nodes of a fleet as one', { timeout: 120_000 }, () => {
  let fleet: StaticFleet;
  let ingest: ScriptableIngest;
  let n1: FleetNode;
  let n2: FleetNode;
  let n3: FleetNode;

  const url = (id: string): string => `rtmp://127.0.0.1:${ingest.port}/app/${id}`;
  const route = (): string => encodeURIComponent(`rtmp://127.0.0.1:${ingest.port}/app`);
  const key = frameAt(0, 'v0', { key: true });
  const shows = (node: FleetNode, id: string, state: string) =>
    until(
      `${id} is ${state}`,
      () => node.upstream(id),
      (one) => one.state === state,
    );

  beforeEach(async () => {
    fleet = new StaticFleet();
    ingest = await ScriptableIngest.start({ answers: true });
    n1 = await fleet.start('n1');
    n2 = await fleet.start('n2');
    n3 = await fleet.start('n3');
  });
  afterEach(async () => {
    await fleet.close();
    await ingest.close();
  });

  it('every node shows the upstreams of all, each with its node', async () => {
    await n1.publish('a', url('a'), [key]);
    await n2.publish('b', url('b'), [key]);
    await n3.publish('c', url('c'), [key]);
    for (const node of fleet.running) {
      const status = await node.status();
      const nodes = Object.entries(status.upstreams).map(([id, one]) => `${id} ${one.node}`);
      assert.deepEqual(nodes.sort(), ['a n1', 'b n2', 'c n3']);
      assert.equal(status.node, node.name);
      assert.deepEqual(status.missing_nodes, []);
      const seen = Object.entries(status.nodes ?? {}).map(([name, one]) => `${name} ${one.missing} ${one.upstreams}`);
      assert.deepEqual(seen.sort(), ['n1 null 1', 'n2 null 1', 'n3 null 1']);
      assert.equal((await node.upstream('b')).node, 'n2');
      assert.equal((await node.http.get('/api/upstreams/none')).status, 404);
    }
    const streams = (await n1.http.get('/api/upstreams/c/streams?list=1')).json;
    assert.deepEqual(streams, ['c']);
  });

  it('shows an upstream of another node while an own worker does not answer', async () => {
    await n2.publish('b', url('b'), [key]);
    const { management } = n1.media;
    Object.defineProperty(management, 'upstream', {
      value: () => Promise.reject(new WorkerUnavailable('worker 1 does not answer')),
    });
    assert.equal((await n1.upstream('b')).node, 'n2');
    // The worker may have this one.
    const { status, text } = await n1.http.get('/api/upstreams/none');
    assert.equal(status, 503);
    assert.match(text, /"worker_unavailable".*worker 1 does not answer/);
  });

  it('a node finds out which upstreams are on air at the nodes that own them', async () => {
    // A server that never answers.
    const silent = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as net.AddressInfo;
    try {
      await n2.publish('on-air', url('on-air'), [key]);
      await n2.publish('begins', `rtmp://127.0.0.1:${port}/app/begins`, [key]);
      await shows(n2, 'on-air', 'publishing');
      const owners = new Map([
        ['on-air', 'n2'],
        ['begins', 'n2'],
        ['not-there', 'n3'],
        ['unknown-node', 'n9'],
      ]);
      assert.deepEqual([...(await n1.view.publishedOf(owners))], ['on-air']);
      await n2.http.close();
      assert.deepEqual([...(await n1.view.publishedOf(owners))], []);
    } finally {
      silent.close();
    }
  });

  it('a page of the list has the upstreams of all nodes in the order of their ids', async () => {
    for (const [node, id] of [
      [n1, 'd'],
      [n2, 'a'],
      [n3, 'c'],
      [n1, 'b'],
    ] as const)
      await node.publish(id, url(id));
    const first = await n2.http.get('/api/upstreams?limit=3');
    assert.deepEqual(Object.keys(first.json as object), ['a', 'b', 'c']);
    assert.equal(first.headers['x-kmp-rtmp-next'], 'c');
    const last = await n3.http.get('/api/upstreams?limit=3&after=c');
    const upstreams = last.json as Record<string, { node: string }>;
    assert.deepEqual(
      Object.entries(upstreams).map(([id, { node }]) => [id, node]),
      [['d', 'n1']],
    );
    assert.deepEqual((await n1.http.get('/api/upstreams?list=1&after=b')).json, ['c', 'd']);
  });

  it('DELETE drops an upstream and a connection of another node, and nothing else', async () => {
    const a = await n1.publish('a', url('a'), [key]);
    const b = await n2.publish('b', url('b'), [key]);
    // The numbers of connections of different nodes are the same.
    const connection = (await n3.upstream('b')).streams['b']?.tracks.video?.input?.connection;
    assert.equal((await n3.upstream('a')).streams['a']?.tracks.video?.input?.connection, connection);
    assert.equal((await n3.http.request('DELETE', `/api/upstreams/b/tracks/${connection}`)).status, 204);
    await b.closed;
    assert.equal(a.isClosed, false);
    assert.equal((await n3.http.request('DELETE', `/api/upstreams/b/tracks/${connection}`)).status, 404);
    assert.equal((await n3.http.request('DELETE', '/api/upstreams/a')).status, 204);
    await a.closed;
    assert.equal((await n3.http.request('DELETE', '/api/upstreams/a')).status, 404);
    const closed = await until(
      'the record',
      async () => (await n2.http.get('/api/closed?upstream_id=a')).json as ClosedUpstream[],
      (list) => list.length === 1,
    );
    assert.deepEqual(
      closed.map(({ node, reason }) => [node, reason]),
      [['n1', 'api_delete']],
    );
  });

  it('disable and enable act on the node that has the upstream, and hold on the node that takes it over', async () => {
    const sender = await n1.publish('a', url('a'), [key]);
    await shows(n2, 'a', 'publishing');
    assert.equal((await n2.post('/api/upstreams/a/disable')).status, 204);
    await shows(n3, 'a', 'disabled');
    const listed = (await n3.http.get('/api/orders')).json as StandingOrder[];
    assert.deepEqual(
      listed.map(({ kind, upstream_id: id }) => [kind, id]),
      [['disabled', 'a']],
    );
    assert.deepEqual((await n1.http.get('/api/orders')).json, listed);
    assert.equal((await n2.post('/api/upstreams/a/elsewhere', { url: url('a2') })).status, 204);
    // Another node takes it over.
    sender.destroy();
    await until(
      'its end',
      () => n2.http.get('/api/upstreams/a'),
      ({ status }) => status === 404,
    );
    // Its orders can be changed meanwhile.
    assert.equal((await n1.post('/api/upstreams/a/elsewhere', { url: url('a3') })).status, 204);
    assert.equal((await n3.post('/api/upstreams/a/disable')).status, 204);
    assert.equal((await n2.http.request('DELETE', '/api/upstreams/a/elsewhere')).status, 204);
    await n3.publish('a', url('a'), [key]);
    await shows(n1, 'a', 'disabled');
    assert.equal((await n1.upstream('a')).node, 'n3');
    assert.equal((await n1.http.request('DELETE', `/api/orders/${listed[0]?.order}`)).status, 204);
    await shows(n1, 'a', 'publishing');
    for (const node of fleet.running) assert.deepEqual((await node.http.get('/api/orders')).json, []);
    assert.equal((await n1.http.request('DELETE', `/api/orders/${listed[0]?.order}`)).status, 404);
    assert.equal((await n1.post('/api/upstreams/none/disable')).status, 404);
  });

  it('an order for a route reaches the upstreams of all nodes, present and later ones', async () => {
    await n1.publish('a', url('a'), [key]);
    await n2.publish('b', url('b'), [key]);
    assert.deepEqual((await n3.post(`/api/routes/${route()}/disable`)).json, { upstreams: 2 });
    await shows(n3, 'a', 'disabled');
    await shows(n3, 'b', 'disabled');
    await n3.publish('c', url('c'), [key]);
    await shows(n1, 'c', 'disabled');
    assert.deepEqual((await n1.post(`/api/routes/${route()}/enable`)).json, { upstreams: 3 });
    await shows(n3, 'b', 'publishing');
  });

  it('elsewhere: an upstream of another node publishes there, and every node checks the URL', async () => {
    const there = await ScriptableIngest.start({ answers: true });
    try {
      await n1.publish('a', url('a'), [key]);
      await shows(n1, 'a', 'publishing');
      const refused = await n2.post('/api/upstreams/a/elsewhere', { url: 'rtmp://127.0.0.1:0/app/a' });
      assert.equal(refused.status, 422);
      const to = { url: `rtmp://127.0.0.1:${there.port}/app/x` };
      assert.equal((await n2.post('/api/upstreams/a/elsewhere', to)).status, 204);
      await (await there.next()).command('publish');
      assert.match((await n3.upstream('a')).elsewhere?.url ?? '', /app\/x/);
      assert.equal((await n3.http.request('DELETE', '/api/upstreams/a/elsewhere')).status, 204);
      await until(
        'the way back',
        () => n2.upstream('a'),
        ({ elsewhere }) => elsewhere === null,
      );
    } finally {
      await there.close();
    }
  });

  it('a node that joins later, or was away, learns the orders', async () => {
    await n1.publish('a', url('a'), [key]);
    assert.equal((await n2.post('/api/upstreams/a/disable')).status, 204);
    const n4 = await fleet.start('n4');
    n4.view.start();
    await until(
      'the order',
      async () => (await n4.http.get('/api/orders')).json as unknown[],
      (all) => all.length === 1,
    );
    assert.deepEqual((await n4.http.get('/api/orders')).json, (await n2.http.get('/api/orders')).json);
  });

  it('an id that two nodes have is shown once, as the one on air, with the name of the other', async () => {
    await n2.publish('a', url('a'), [key]);
    await shows(n2, 'a', 'publishing');
    const mute = net.createServer((socket) => socket.on('error', () => {}));
    await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done));
    await n3.publish('a', `rtmp://127.0.0.1:${(mute.address() as net.AddressInfo).port}/app/a`, [key]);
    const { upstreams } = await until(
      'both',
      () => n1.status(),
      (one) => one.upstreams['a']?.also_on !== undefined,
    );
    assert.deepEqual([upstreams['a']?.node, upstreams['a']?.also_on], ['n2', ['n3']]);
    mute.close();
  });

  describe('when a node does not answer', () => {
    const silent = net.createServer(() => {});
    const sockets = new Set<net.Socket>();
    silent.on('connection', (socket) => sockets.add(socket.on('error', () => {})));

    beforeEach(async () => {
      await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
      n1 = await fleet.start('impatient', { peerTimeout: 1000 });
      fleet.add('silent', (silent.address() as net.AddressInfo).port);
    });
    afterEach(async () => {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await new Promise((done) => silent.close(done));
    });

    // On a busy machine, another node may be late as well, once.
    const isOnly = (names: readonly string[] | undefined): boolean => names?.join() === 'silent';

    it('status, lists and records name it', async () => {
      await n2.publish('b', url('b'), [key]);
      const status = await until(
        'the status',
        () => n1.status(),
        ({ missing_nodes: names }) => isOnly(names),
      );
      assert.match(status.nodes?.['silent']?.missing ?? '', /not answered in 1000 ms/);
      assert.equal(status.upstreams['b']?.node, 'n2');
      for (const path of ['', 'upstreams', 'upstreams?list=1', 'upstreams?limit=5', 'closed']) {
        const reply = await until(
          path,
          () => n1.http.get(`/api/${path}`),
          ({ headers }) => headers['x-kmp-rtmp-missing-nodes'] === 'silent',
        );
        assert.equal(reply.status, 200);
      }
      assert.match(n1.log.text, /node silent is missing: it has not answered in 1000 ms/);
    });

    it('an upstream that no other node has is not said to be absent', async () => {
      for (const [method, path] of [
        ['GET', '/api/upstreams/x'],
        ['DELETE', '/api/upstreams/x'],
        ['DELETE', '/api/upstreams/x/tracks/1'],
        ['POST', '/api/upstreams/x/disable'],
      ] as const) {
        const reply = await n1.http.request(method, path);
        assert.equal(reply.status, 503, path);
        assert.equal((reply.json as { error: string }).error, 'node_unavailable');
        assert.match(reply.text, /node silent does not answer/);
      }
    });

    it('an order names it', async () => {
      await n2.publish('b', url('b'), [key]);
      const reply = await until(
        'the order',
        () => n1.post('/api/upstreams/b/disable'),
        ({ status, headers }) => status === 204 && headers['x-kmp-rtmp-missing-nodes'] === 'silent',
      );
      assert.equal(reply.text, '');
      const byRoute = await until(
        'the order for the route',
        () => n1.post(`/api/routes/${route()}/disable`),
        ({ headers }) => headers['x-kmp-rtmp-missing-nodes'] === 'silent',
      );
      assert.deepEqual(byRoute.json, { upstreams: 1, missing_nodes: ['silent'] });
    });
  });
});
