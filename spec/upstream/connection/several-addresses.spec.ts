import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { dnsResolve } from '../../../lib/rtmp/network/resolve.js';
import { DnsServer } from '../../support/network/dns-server.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { audioFrames, Live, type LiveOptions } from '../../support/service/live.js';

describe('an upstream whose host name has several addresses', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  let dns: DnsServer;
  /** At 127.0.0.2, the first address of two.test. */
  let first: net.Server;
  let tries = 0;
  const sockets = new Set<net.Socket>();

  async function start(onSocket: (socket: net.Socket) => void, options: LiveOptions = {}): Promise<void> {
    dns = await DnsServer.start({ 'two.test': ['127.0.0.2', '127.0.0.1'] });
    const resolve = dnsResolve({ servers: [dns.address], timeout: 2000, ipv4: true, ipv6: true });
    live = await Live.start({ clock, resolve, random: () => 0, ...options });
    tries = 0;
    first = net.createServer((socket) => {
      tries++;
      sockets.add(socket);
      socket.on('error', () => {});
      onSocket(socket);
    });
    first.listen(live.ingest.port, '127.0.0.2');
    await once(first, 'listening');
  }

  const url = (name: string): string => live.url(name, `two.test:${live.ingest.port}`);

  afterEach(async () => {
    await live.close();
    await dns.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => first.close(resolve));
    clock.advance(60_000);
  });

  for (const [what, onSocket] of [
    ['hangs up', (socket: net.Socket) => void socket.destroy()],
    ['never speaks RTMP', (socket: net.Socket) => void socket.resume()],
    ['speaks another protocol', (socket: net.Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ] as const) {
    it(`reconnects to the next address if the first ${what}`, async () => {
      await start(onSocket, { settings: { outReconnects: Infinity, outWriteMetaTimeout: 0 } });
      const sender = await live.audio({ url: url('s') });
      sender.send(...audioFrames(0, 3));
      await eventually(() => tries === 1, 'the first attempt');
      if (what === 'never speaks RTMP') {
        await live.state('handshaking');
        clock.advance(10_000);
      }
      await live.state('reconnecting');
      clock.advance(1000);
      const connection = await live.ingest.next();
      await connection.until(() => framesOf(connection).length === 3);
      assert.equal(tries, 1);
    });
  }

  it('goes to the next address for all upstreams and streams, also without reconnects', async () => {
    await start((socket) => socket.destroy());
    const one = await live.audio({ url: url('s') });
    await one.closed;
    assert.equal((await live.service.ended()).reason, 'handshake_failed');
    await live.audio({ upstream_id: 'u2', url: url('other') });
    await live.ingest.next();
    assert.equal(tries, 1);
  });

  it('goes to the next address after one has taken the handshake and then hung up', async () => {
    await start((socket) => {
      // S0, S1 and S2 without a digest, and the end once C2 is in.
      let bytes = 0;
      socket.on('data', (chunk) => {
        if (bytes === 0) socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]));
        bytes += chunk.length;
        if (bytes >= 1 + 2 * 1536) socket.destroy();
      });
    });
    const one = await live.audio({ url: url('s') });
    await one.closed;
    await live.service.ended();
    await live.audio({ upstream_id: 'u2', url: url('other') });
    await live.ingest.next();
    assert.equal(tries, 1);
  });

  it('goes to the next address after a refusal', async () => {
    await start((socket) => socket.destroy(), {
      script: { rejectPublish: { code: 'NetStream.Publish.BadName', description: 'busy' } },
    });
    // 127.0.0.2 is the last one after its failure.
    const one = await live.audio({ url: url('a') });
    await one.closed;
    await live.service.ended();
    const two = await live.audio({ url: url('b') });
    await live.ingest.next();
    await two.closed;
    await live.service.ended();
    clock.advance(1);
    // Both have failed: the failure of 127.0.0.2 is longer ago.
    const three = await live.audio({ url: url('c') });
    await three.closed;
    assert.deepEqual([tries, live.ingest.connections.length], [2, 1]);
  });
});
