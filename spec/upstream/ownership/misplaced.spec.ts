import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { signConnectData } from '../../../lib/kmp/signature.js';
import { eventually } from '../../support/time/eventually.js';
import { freePort } from '../../support/network/free-port.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { names, videoFrames } from '../../support/service/live.js';
import { MediaNode } from '../../support/fleet/media-node.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

describe('a track of another node', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let nodes: MediaNode[];
  const senders: KmpSender[] = [];

  const node = (n: number): MediaNode => {
    const found = nodes[n];
    assert.ok(found);
    return found;
  };
  const data = (placement: object = {}): object => ({
    upstream_id: 'u1',
    url: `rtmp://127.0.0.1:${ingest.port}/app/s`,
    ...placement,
  });
  const placed = (name: string, epoch = 1): object => data({ fleet_node: name, fleet_epoch: epoch });
  const open = async (at: MediaNode, connectData: object, options = {}): Promise<KmpSender> => {
    const sender = await KmpSender.open(at.port, connectData, options);
    senders.push(sender);
    return sender;
  };
  const published = (): string[] => ingest.connections.flatMap((connection) => framesOf(connection));

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    for (const one of nodes.splice(0)) one.kill();
    await ingest.close();
  });

  it('is passed on to its node: all frames arrive, and all acks come back', async () => {
    nodes = await MediaNode.fleet(['n1', 'n2'], 'relay');
    const sender = await open(node(0), placed('n2'));
    sender.send(videoMinf(), ...videoFrames(0, 50));
    await eventually(() => published().length === 50, 'the frames');
    assert.deepEqual(published(), names('v', 0, 50));
    sender.end();
    await sender.closed;
    assert.equal(sender.lastAck, 50n);
    assert.deepEqual(node(0).reports, []);
    assert.equal(node(1).reports[0], 'u1 began 1');
    const totals = await node(0).media.totals();
    assert.equal(totals.kmp_connections.relayed, 1);
    await eventually(() => /"upstream":"u1"/.test(node(0).log.text), 'a line in the log');
    assert.match(node(0).log.text, /passed on to 127\.0\.0\.1:\d+/);
    assert.deepEqual(node(0).log.of('error'), []);
  });

  it('gets its last acks when its sender has ended its own direction only', async () => {
    nodes = await MediaNode.fleet(['n1', 'n2'], 'relay');
    const sender = await open(node(0), placed('n2'), { allowHalfOpen: true });
    sender.send(videoMinf(), ...videoFrames(0, 10));
    await eventually(() => published().length === 10, 'the frames');
    sender.end();
    sender.socket.end();
    await sender.closed;
    assert.equal(sender.lastAck, 10n);
    assert.deepEqual(published(), names('v', 0, 10));
  });

  it('is refused if so configured, and counted', async () => {
    nodes = await MediaNode.fleet(['n1', 'n2'], 'refuse');
    const sender = await open(node(0), placed('n2'));
    await sender.closed;
    assert.match(node(0).log.text, /fleet_misplaced: the upstream "u1" is placed at node "n2", not here/);
    const { rejected, relayed } = (await node(0).media.totals()).kmp_connections;
    assert.deepEqual([rejected.fleet_misplaced, relayed], [1, 0]);
    assert.equal(ingest.connections.length, 0);
  });

  it('is never passed on with a wrong signature', async () => {
    nodes = await MediaNode.fleet(['n1', 'n2'], 'relay', `kmp_rtmp_in_secret a-secret-of-24-characters;`);
    const expires = Math.ceil(Date.now() / 1000) + 60;
    for (const wrong of [
      placed('n2'),
      JSON.parse(signConnectData(placed('n2'), 'another-secret-entirely!!', expires)) as object,
    ]) {
      const sender = await open(node(0), wrong);
      await sender.closed;
    }
    assert.equal((await node(0).media.totals()).kmp_connections.relayed, 0);
    assert.equal((await node(0).media.totals()).kmp_connections.rejected.signature, 2);
    const right = JSON.parse(signConnectData(placed('n2'), 'a-secret-of-24-characters', expires)) as object;
    const sender = await open(node(0), right);
    sender.send(videoMinf(), ...videoFrames(0, 5));
    await eventually(() => published().length === 5, 'the frames');
  });

  it('is closed if its node does not listen, and the next one too: its sender asks the controller again', async () => {
    nodes = await MediaNode.fleet(['n1', 'n2'], 'relay');
    node(1).kill();
    for (let n = 0; n < 2; n++) await (await open(node(0), placed('n2'))).closed;
    const errors = node(0)
      .log.of('error')
      .map(({ message }) => message);
    assert.match(errors[0] ?? '', /passed on to node n2 \(127\.0\.0\.1:\d+\): .*ECONNREFUSED/);
  });

  it('is passed on once only, if nodes have the addresses of each other', async () => {
    nodes = [await MediaNode.start('n1'), await MediaNode.start('n2')];
    const [n1, n2] = [node(0), node(1)];
    const wrong = [
      { name: 'n1', host: '127.0.0.1', port: n2.port },
      { name: 'n2', host: '127.0.0.1', port: n1.port },
    ];
    for (const one of [n1, n2]) one.media.fleet.setTable({ self: one.name, misplaced: 'relay', nodes: wrong });
    const sender = await open(n1, placed('n2'));
    await eventually(() => sender.isClosed, 'the end of the connection');
    const { kmp_connections: counts } = await n1.media.totals();
    assert.deepEqual([counts.relayed, counts.rejected.fleet_misplaced], [1, 1]);
    assert.match(n1.log.text, /is for node n2, but was passed on to this node; are the kmp= addresses/);
  });

  it('counts as an open connection of this node until it ends', async () => {
    nodes = [await MediaNode.start('n1', 'kmp_rtmp_in_max_connections 1;'), await MediaNode.start('n2')];
    node(0).knows(nodes);
    node(1).knows(nodes);
    const sender = await open(node(0), placed('n2'));
    sender.send(videoMinf(), ...videoFrames(0, 5));
    await eventually(() => published().length === 5, 'the frames');
    await (
      await open(node(0), placed('n2'))
    ).closed;
    assert.match(node(0).log.text, /1 connections are open \(kmp_rtmp_in_max_connections\)/);
    sender.destroy();
    for (let refused = true; refused;) {
      const again = await open(node(0), placed('n2'), { frameId: 5n });
      again.send(videoMinf(), ...videoFrames(5, 10));
      await eventually(() => again.isClosed || published().length === 10, 'the next sender');
      refused = again.isClosed;
    }
  });

  it('is not read while its node does not read, and a node that dies ends it', async () => {
    const stalled = await stalledServer();
    nodes = [await MediaNode.start('n1')];
    const members = [
      { name: 'n1', host: '127.0.0.1', port: node(0).port },
      { name: 'n2', host: '127.0.0.1', port: stalled.port },
    ];
    node(0).media.fleet.setTable({ self: 'n1', misplaced: 'relay', nodes: members });
    const sender = await open(node(0), placed('n2'));
    const before = process.memoryUsage().arrayBuffers;
    const piece = Buffer.alloc(2 ** 20);
    let sent = 0;
    // The kernel's queues of two connections take some megabytes. What this process takes is measured.
    for (; sent < 64 && sender.socket.writableLength < 2 ** 22; sent++) {
      sender.socket.write(piece);
      await turns(20);
    }
    assert.ok(sender.socket.writableLength >= 2 ** 22, 'the sender is stopped');
    const grown = process.memoryUsage().arrayBuffers - before - sender.socket.writableLength;
    assert.ok(grown < 2 ** 24, `${grown} bytes more`);
    stalled.close();
    await sender.closed;
  });

  async function stalledServer(): Promise<{ readonly port: number; close(): void }> {
    const sockets: Socket[] = [];
    const server: Server = createServer({ pauseOnConnect: true }, (socket) =>
      sockets.push(socket.on('error', () => {})),
    );
    server.listen(await freePort(), '127.0.0.1');
    await once(server, 'listening');
    const close = (): void => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    return { port: (server.address() as AddressInfo).port, close };
  }
});
