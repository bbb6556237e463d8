import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ClusterMediaService } from '../../lib/cluster/cluster-media-service.js';
import { Deliveries } from '../../lib/cluster/deliveries.js';
import { slotOf } from '../../lib/placement/rendezvous.js';
import { parseConfig } from '../../lib/config/load.js';
import { eventually } from '../support/time/eventually.js';
import { audioMinf, KmpSender } from '../support/kmp/kmp-sender.js';
import { RunningService } from '../support/service/running-service.js';
import { turns } from '../support/time/turns.js';
import { until } from '../support/time/until.js';

const COUNT = 200;

/** Pairs of connected sockets: the client's end, and the one that a worker is to get. */
class Pairs {
  readonly clients: net.Socket[] = [];
  readonly accepted: net.Socket[] = [];
  private readonly server = net.createServer({ pauseOnConnect: true }, (socket) => this.accepted.push(socket));

  async open(count: number): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const { port } = this.server.address() as net.AddressInfo;
    for (let n = 0; n < count; n++) this.clients.push(net.connect(port, '127.0.0.1').on('error', () => {}));
    await eventually(() => this.accepted.length === count, 'the connections');
  }

  get closed(): number {
    return this.clients.filter((client) => client.closed).length;
  }

  close(): void {
    this.server.close();
    for (const socket of [...this.clients, ...this.accepted]) socket.destroy();
  }
}

describe('many connections for a worker at once', { timeout: 90_000 }, () => {
  let pairs: Pairs;
  beforeEach(() => {
    pairs = new Pairs();
  });
  afterEach(() => pairs.close());

  it('questions do not wait until the worker has all of them', async () => {
    const service = new ClusterMediaService(
      parseConfig('worker_processes 1; stream { server { listen 127.0.0.1:0; kmp_rtmp; } }'),
    );
    await service.start();
    try {
      await pairs.open(COUNT);
      for (const client of pairs.clients) client.resume();
      // The worker closes a connection at once whose listener a reload has removed meanwhile.
      const message = { kind: 'misplaced', slot: 0, listener: 'removed', head: Buffer.alloc(10) } as const;
      for (const socket of pairs.accepted) service.misplaced(message, socket);
      const { missing_workers } = await service.management.upstreamIds();
      assert.deepEqual(missing_workers, []);
      assert.ok(pairs.closed < COUNT / 2, `${pairs.closed} connections were passed first`);
      await eventually(() => pairs.closed === COUNT, 'the end of all connections');
    } finally {
      service.kill();
    }
  });

  it('those that wait are limited in number and bytes', async () => {
    await pairs.open(6);
    // A worker that is stopped takes nothing.
    const sent: net.Socket[] = [];
    const worker = { send: (_: unknown, socket: net.Socket) => void sent.push(socket) };
    const deliveries = new Deliveries({ connections: 5, bytes: 1000 });
    deliveries.sendAll(worker);
    for (const [n, size] of [400, 400, 400, 100, 100, 100].entries()) {
      const socket = pairs.accepted[n];
      if (socket !== undefined) deliveries.add({ head: Buffer.alloc(size) }, socket);
    }
    assert.deepEqual(
      pairs.accepted.map(({ destroyed }) => destroyed),
      [false, false, true, false, false, true],
    );
    await turns();
    assert.deepEqual(sent, pairs.accepted.slice(0, 1));
    deliveries.close();
    assert.equal(pairs.accepted.filter(({ destroyed }) => !destroyed).length, 1);
  });
});

describe('connections that belong to another worker', { timeout: 90_000 }, () => {
  it('count for the limits of the worker that gets them', async () => {
    const service = await RunningService.start({
      main: 'worker_processes 2;',
      media: 'kmp_rtmp_out_reconnects unlimited; kmp_rtmp_in_max_connections 3;',
    });
    const senders: KmpSender[] = [];
    try {
      const ids = Array.from({ length: 100 }, (_, n) => `u${n}`).filter((id) => slotOf(id, 2) === 1);
      for (const upstream_id of ids.slice(0, 12)) {
        const sender = await KmpSender.open(service.kmpPort, { upstream_id, url: 'rtmp://127.0.0.1:9/a/s' });
        senders.push(sender);
        sender.send(audioMinf());
        const upstreams = async (): Promise<object> => (await service.status()).upstreams;
        await until('its upstream, or its end', upstreams, (all) => upstream_id in all || sender.isClosed);
      }
      assert.equal(senders.filter(({ isClosed }) => !isClosed).length, 3);
    } finally {
      for (const sender of senders) sender.destroy();
      await service.close();
    }
  });
});
