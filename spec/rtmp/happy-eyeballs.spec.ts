import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { AddressPenalties } from '../../lib/rtmp/network/address-penalties.js';
import type { PublishError } from '../../lib/rtmp/publish-error.js';
import { RtmpPublisher, type PublisherOptions } from '../../lib/rtmp/network/publisher.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { StalledServer } from '../support/network/stalled-server.js';
import { ca, serverTls } from '../support/network/tls-fixture.js';
import { turns } from '../support/time/turns.js';

const TIMEOUT = 10_000;

/** A server at 127.0.0.2 that closes each connection once it has brought something. */
class BrokenServer {
  connections = 0;
  private readonly sockets = new Set<net.Socket>();
  private readonly server = net.createServer((socket) => {
    this.connections++;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.destroy());
  });

  async listen(port: number): Promise<void> {
    this.server.listen(port, '127.0.0.2');
    await once(this.server, 'listening');
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

describe('a host name with several addresses', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let clock: FakeClock;
  let penalties: AddressPenalties;
  const publishers: RtmpPublisher[] = [];
  const servers: { close(): Promise<void> }[] = [];

  function publish(addresses: readonly string[], more: Partial<PublisherOptions> = {}): RtmpPublisher {
    const publisher = new RtmpPublisher({
      target: { host: 'ingest.example', port: ingest.port, tls: undefined },
      header: undefined,
      timeout: TIMEOUT,
      clock,
      resolve: () => Promise.resolve([...addresses]),
      penalties,
      ...more,
    });
    publisher.on('error', () => {});
    publishers.push(publisher);
    return publisher;
  }
  const failure = async (of: RtmpPublisher): Promise<PublishError> => {
    const [error] = (await once(of, 'error')) as [PublishError];
    return error;
  };
  const connectedTo = (publisher: RtmpPublisher, address: string): Promise<void> =>
    eventually(() => publisher.remoteAddress === `${address}:${ingest.port}`, `a connection to ${address}`);
  async function broken(): Promise<BrokenServer> {
    const server = new BrokenServer();
    await server.listen(ingest.port);
    servers.push(server);
    return server;
  }

  beforeEach(async () => {
    clock = new FakeClock();
    penalties = new AddressPenalties(clock);
    ingest = await ScriptableIngest.start({ anyBytes: true });
  });
  afterEach(async () => {
    for (const publisher of publishers.splice(0)) publisher.destroy();
    for (const server of servers.splice(0)) await server.close();
    await ingest.close();
  });

  it('is connected to at the next one if the first does not answer within 250 ms', async () => {
    servers.push(await StalledServer.start('127.0.0.2', ingest.port));
    const it = publish(['127.0.0.2', '127.0.0.1']);
    await eventually(() => clock.pending === 2, 'the first attempt');
    assert.equal(clock.untilNext, 250);
    clock.advance(249);
    await turns();
    assert.equal(ingest.connections.length, 0);
    clock.advance(1);
    await connectedTo(it, '127.0.0.1');
    // The loser is given up: no time limit of it is left but that of the handshake.
    await eventually(() => clock.pending <= 1, 'the end of the other attempt');
  });

  it('gives an address that is slow its time while another one is tried', async () => {
    servers.push(await StalledServer.start('127.0.0.2', ingest.port));
    const it = publish(['127.0.0.2', '127.0.0.3']);
    const failed = failure(it);
    await eventually(() => clock.pending === 2, 'the first attempt');
    clock.advance(250);
    // 127.0.0.3 refuses at once; 127.0.0.2 still has the rest of its 10 s.
    await turns(50);
    clock.advance(TIMEOUT - 251);
    assert.equal(it.destroyed, false);
    clock.advance(1);
    const { stage, message } = await failed;
    assert.equal(stage, 'handshake');
    const { port } = ingest;
    assert.match(
      message,
      new RegExp(
        `^could not connect: 127.0.0.2 port ${port}: no connection within 10000 ms; 127.0.0.3 port ${port}: .*REFUSED`,
      ),
    );
  });

  it('is tried by families in turns, beginning with that of the first address', async () => {
    const order = async (addresses: readonly string[]): Promise<string[]> => {
      const { message } = await failure(publish(addresses, { target: { host: 'h.example', port: 9, tls: undefined } }));
      return [...message.matchAll(/(\S+) port 9:/g)].map(([, address]) => address ?? '');
    };
    const four = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
    assert.deepEqual(await order([...four, '::1', '127.0.0.2']), ['127.0.0.2', '::1', '127.0.0.3', '127.0.0.4']);
    assert.deepEqual(await order(['::1', ...four]), ['::1', '127.0.0.2', '127.0.0.3', '127.0.0.4']);
  });

  it('is asked at another address after one has failed in the handshake, for a minute', async () => {
    const server = await broken();
    const addresses = ['127.0.0.2', '127.0.0.1'];
    assert.equal((await failure(publish(addresses))).stage, 'handshake');
    assert.deepEqual([server.connections, ingest.connections.length], [1, 0]);
    const published = async (): Promise<void> => {
      const it = publish(addresses);
      await connectedTo(it, '127.0.0.1');
      await eventually(() => it.receivedBytes === 1 + 2 * 1536, 'the handshake');
      it.destroy();
    };
    await published();
    clock.advance(59_999);
    await published();
    clock.advance(1);
    assert.equal((await failure(publish(addresses))).stage, 'handshake');
    assert.equal(server.connections, 2);
  });

  it('is asked at the address whose failure is longest ago if all have failed', async () => {
    const server = await broken();
    const addresses = ['127.0.0.2', '127.0.0.1'];
    await failure(publish(addresses));
    clock.advance(1000);
    penalties.penalize('INGEST.example', '127.0.0.1');
    await failure(publish(addresses));
    assert.equal(server.connections, 2);
  });

  it('is not asked elsewhere for the failure of an address of another name', async () => {
    const server = await broken();
    await failure(publish(['127.0.0.2', '127.0.0.1']));
    const target = { host: 'other.example', port: ingest.port, tls: undefined };
    await failure(publish(['127.0.0.2', '127.0.0.1'], { target }));
    assert.equal(server.connections, 2);
  });

  it('is connected to at the next one if TLS fails, in the same attempt, and there first from then on', async () => {
    const { port } = ingest;
    await ingest.close();
    ingest = await ScriptableIngest.start({ anyBytes: true, tls: serverTls }, port);
    const server = await broken();
    const tls = { verify: true, ca, name: undefined };
    const target = { host: 'ingest.example', port, tls };
    for (let n = 1; n <= 2; n++) {
      await connectedTo(publish(['127.0.0.2', '127.0.0.1'], { target }), '127.0.0.1');
      assert.equal(server.connections, 1);
    }
  });

  it('is connected to only where it may be, whatever the order', async () => {
    const server = await broken();
    const permit: PublisherOptions['permit'] = (address) => address === '127.0.0.1';
    await connectedTo(publish(['127.0.0.2', '127.0.0.1'], { permit }), '127.0.0.1');
    penalties.penalize('ingest.example', '127.0.0.1');
    await connectedTo(publish(['127.0.0.2', '127.0.0.1'], { permit }), '127.0.0.1');
    assert.equal(server.connections, 0);
  });
});
