import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { DnsServer } from '../support/network/dns-server.js';
import { eventually } from '../support/time/eventually.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { AT_ONCE_DIRECTIVES, RunningService, type ServiceSetup } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

/** KMP connections so far, by whether they were let in. */
async function connections(running: RunningService): Promise<{ accepted: number; refused: number }> {
  const { text } = await running.request('GET', '/metrics');
  const of = (result: string): number =>
    Number(new RegExp(`^kmp_rtmp_input_connections_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
  return { accepted: of('accepted'), refused: of('refused') };
}

/** Makes a KMP connection; whether it was let in. */
async function isLetIn(running: RunningService): Promise<boolean> {
  const before = await connections(running);
  const socket = net.connect(running.kmpPort, '127.0.0.1');
  socket.on('error', () => {});
  for (;;) {
    const { accepted, refused } = await connections(running);
    if (accepted + refused === before.accepted + before.refused) continue;
    socket.destroy();
    return accepted > before.accepted;
  }
}

describe('who may connect to a service', { timeout: 90_000 }, () => {
  let running: RunningService;
  const start = async (setup: ServiceSetup): Promise<void> => {
    running = await RunningService.start(setup);
  };
  afterEach(() => running.close());

  it('to send KMP: allow and deny of the server, the first that fits', async () => {
    await start({ media: 'deny 127.0.0.0/8;' });
    assert.equal(await isLetIn(running), false);
    assert.match(running.log.text, /warn KMP connection refused: denied by the configuration/);
    await running.close();
    await start({ media: 'allow 127.0.0.1; deny all;' });
    assert.equal(await isLetIn(running), true);
  });

  it('to see the API: allow and deny of server and location', async () => {
    await start({ http: 'location /closed/ { kmp_rtmp_api; deny all; }' });
    const refused = await running.request('GET', '/closed/');
    assert.deepEqual([refused.status, refused.headers['content-type']], [403, 'application/json']);
    await running.close();
    // A client that no location lets in gets no connection.
    await start({ http: 'deny all;' });
    await assert.rejects(running.request('GET', '/api/'), { code: 'ECONNRESET' });
    assert.match(running.log.text, /warn HTTP connection refused: denied by the configuration/);
    await running.close();
    await start({ http: 'deny 10.0.0.0/8; allow 127.0.0.1; deny all;' });
    assert.equal((await running.request('GET', '/api/')).status, 200);
  });

  it('as many as kmp_rtmp_in_max_connections says, and in all as many from one address', async () => {
    for (const cap of ['kmp_rtmp_in_max_connections 2;', 'kmp_rtmp_in_max_connections_per_address 2;']) {
      await start({ media: cap });
      const sockets = [0, 1].map(() => net.connect(running.kmpPort, '127.0.0.1'));
      for (const socket of sockets) await once(socket, 'connect');
      assert.equal(await isLetIn(running), false, cap);
      assert.match(running.log.text, /warn KMP connection refused: 2 connections are open/);
      // One that leaves makes room.
      sockets[0]?.destroy();
      for (let tries = 0; !(await isLetIn(running)); tries++) assert.ok(tries < 20, 'room for one');
      for (const socket of sockets) socket.destroy();
      await running.close();
    }
    await start({});
  });
});

describe('where a service publishes to', { timeout: 90_000 }, () => {
  let running: RunningService;
  let ingest: ScriptableIngest;
  let dns: DnsServer;
  const senders: KmpSender[] = [];

  const publish = async (host: string, port = ingest.port): Promise<void> => {
    const sender = await KmpSender.open(running.kmpPort, { upstream_id: host, url: `rtmp://${host}:${port}/app/s` });
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'));
  };
  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    dns = await DnsServer.start({
      'one.test': ['127.0.0.1'],
      // Nobody listens on the first two.
      'three.test': ['127.0.0.2', '127.0.0.3', '127.0.0.1'],
      'six.test': ['::1'],
      'none.test': ['127.0.0.2', '127.0.0.3'],
    });
    running = await RunningService.start({
      media: `${AT_ONCE_DIRECTIVES} resolver ${dns.address}; kmp_rtmp_out_timeout 1s;`,
    });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await running.close();
    await ingest.close();
    await dns.close();
  });

  it('names are asked of the resolver, and all addresses tried in turn', async () => {
    for (const host of ['one.test', 'three.test']) {
      await publish(host);
      const connection = await ingest.next();
      await connection.message(({ payload }) => payload.includes('first'));
      const { remote_addr } = await running.shows(host, ({ state }) => state === 'publishing', 'publishing');
      assert.equal(remote_addr, `127.0.0.1:${ingest.port}`);
    }
    assert.ok(dns.questions.includes('three.test A'));
  });

  it('a name none of whose addresses takes connections fails with what was wrong with each', async () => {
    await publish('none.test');
    assert.equal((await running.notified()).reason, 'handshake_failed');
    assert.match(running.log.text, /could not connect: 127\.0\.0\.2 port \d+: .*; 127\.0\.0\.3 port \d+: /);
  });

  it('addresses need no resolver; IPv6 ones too, as themselves and by name', async (t) => {
    const server = net.createServer();
    server.listen(0, '::1');
    const listens = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]);
    if (!listens) return t.skip('this machine has no IPv6');
    const { port } = server.address() as net.AddressInfo;
    const peers: (string | undefined)[] = [];
    server.on('connection', (socket) => {
      peers.push(socket.localAddress);
      socket.on('error', () => {}).resume();
    });
    await publish('[::1]', port);
    await publish('six.test', port);
    await eventually(() => peers.length === 2, 'two connections');
    assert.deepEqual(peers, ['::1', '::1']);
    const { remote_addr } = await running.shows('[::1]', (u) => u.remote_addr !== '', 'a connection');
    assert.equal(remote_addr, `[::1]:${port}`);
    assert.deepEqual(
      dns.questions.filter((question) => !question.startsWith('six.test')),
      [],
    );
    await running.close();
    server.close();
  });
});
