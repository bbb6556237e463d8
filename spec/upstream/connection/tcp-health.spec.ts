import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net, { type AddressInfo } from 'node:net';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import { caFile, serverTls } from '../../support/network/tls-fixture.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

const FRAME = Buffer.alloc(100_000, 1);

for (const scheme of ['rtmp', 'rtmps'] as const) {
  describe(`a server on ${scheme} that stops reading`, { timeout: 90_000 }, () => {
    const clock = new FakeClock();
    let live: Live;
    let sender: KmpSender;
    let connection: IngestConnection;
    let sent = 0;

    /** Sends until the kernel takes no more and frames pile up. */
    async function fill(): Promise<void> {
      for (let more = 40; more > 0;) {
        const { sent_bytes } = live.status();
        sender.send(frameAt(sent++ * 20, FRAME));
        await live.received('audio', sent);
        await turns(20);
        if (live.status().sent_bytes === sent_bytes) more--;
      }
    }

    async function start(outReconnects = 0): Promise<void> {
      const tls = scheme === 'rtmps';
      live = await Live.start({
        clock,
        script: { forget: true, ...(tls ? { tls: serverTls } : {}) },
        settings: { outReconnects, outWriteMetaTimeout: 0, outMemLimit: 64_000_000, outSslTrustedCertificate: caFile },
      });
      sender = await live.audio({ url: `${scheme}://127.0.0.1:${live.ingest.port}/app/s` });
      connection = await live.ingest.next();
      await live.state('publishing');
      clock.advance(0);
      connection.pause();
      sent = 0;
      await fill();
    }

    afterEach(async () => {
      await live.close();
      clock.advance(60_000);
    });

    it('is given up after kmp_rtmp_out_timeout without progress', async () => {
      await start();
      clock.advance(9_999);
      assert.equal(live.upstream?.state, 'publishing');
      clock.advance(10_001);
      const { reason } = await live.service.ended();
      assert.equal(reason, 'send_failed');
      assert.match(live.service.log.text, /took no byte for 10000 ms/);
      await sender.closed;
    });

    it('and is only slow, keeps its connection', async () => {
      await start();
      for (let i = 0; i < 3; i++) {
        const { sent_bytes } = live.status();
        sender.send(frameAt(sent++ * 20, FRAME));
        connection.resume();
        await eventually(() => live.status().sent_bytes > sent_bytes, 'progress');
        connection.pause();
        clock.advance(9_000);
        await turns();
        assert.equal(live.upstream?.state, 'publishing');
      }
    });

    it('and is slow in the middle of one frame, keeps its connection', async () => {
      await start();
      sender.send(frameAt(sent++ * 20, Buffer.alloc(16_000_000)));
      await live.received('audio', sent);
      // With the frames in front of it gone there is one write, of which the kernel takes a part at a time.
      const { sent_bytes } = live.status();
      const ahead = live.status().written_bytes - sent_bytes;
      connection.resume();
      await connection.until(() => connection.receivedBytes > sent_bytes + ahead);
      for (let i = 0; i < 2; i++) {
        const { receivedBytes } = connection;
        await connection.until(() => connection.receivedBytes >= receivedBytes + 4_000_000);
        connection.pause();
        clock.advance(9_000);
        await turns();
        assert.equal(live.upstream?.state, 'publishing');
        connection.resume();
      }
    });

    it('is left for another connection with reconnects on', async () => {
      await start(5);
      clock.advance(10_000);
      clock.advance(10_000);
      await live.state('reconnecting');
      const { reason, message, age } = live.status().last_error ?? {};
      assert.deepEqual([reason, age], ['send_failed', 0]);
      assert.match(message ?? '', /took no byte for 10000 ms/);
      clock.advance(1000);
      await live.ingest.next();
      await live.state('publishing');
      assert.ok(!sender.isClosed);
      assert.deepEqual([live.status().last_error?.reason, live.status().last_error?.age], [reason, 1]);
    });
  });
}

describe('a server that', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  let silent: net.Server;
  const sockets = new Set<net.Socket>();

  before(async () => {
    silent = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    await live.close();
    for (const socket of sockets) socket.destroy();
    clock.advance(60_000);
  });
  after(() => silent.close());

  it('takes connections and says nothing is given up at the handshake', async () => {
    live = await Live.start({ clock });
    const { port } = silent.address() as AddressInfo;
    const sender = await live.audio({ url: `rtmp://127.0.0.1:${port}/app/s` });
    await live.state('handshaking');
    clock.advance(10_000);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'handshake_failed');
    await sender.closed;
  });

  for (const stallAt of ['s0', 'half-s1', 's1', 'half-s2'] as const) {
    it(`stops at ${stallAt} of the handshake is given up`, async () => {
      live = await Live.start({ clock, script: { stallAt } });
      await live.audio();
      await live.ingest.next();
      await live.state('handshaking');
      await eventually(() => live.status().received_bytes >= 1, 'S0');
      clock.advance(10_000);
      // A step that came meanwhile gets its own time.
      await turns();
      clock.advance(10_000);
      const { reason } = await live.service.ended();
      assert.equal(reason, 'handshake_failed');
    });
  }

  it('hangs up ends the upstream, and one that resets', async () => {
    for (const how of ['end', 'reset'] as const) {
      live = await Live.start({ clock });
      const sender = await live.audio();
      const connection = await live.ingest.next();
      await live.state('publishing');
      connection[how]();
      const { reason } = await live.service.ended();
      assert.equal(reason, 'recv_failed');
      await sender.closed;
      await live.close();
    }
  });

  it('is deleted while it is connected to leaves nothing behind', async () => {
    live = await Live.start({ clock });
    const { port } = silent.address() as AddressInfo;
    await live.audio({ url: `rtmp://127.0.0.1:${port}/app/s` });
    await live.state('handshaking');
    await eventually(() => sockets.size > 0, 'the connection');
    const [socket] = [...sockets].slice(-1);
    live.upstream?.drop('api_delete', false);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'api_delete');
    socket?.resume();
    await eventually(() => socket?.destroyed === true || socket?.readableEnded === true, 'its end');
  });
});
