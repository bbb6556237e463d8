/**
 * The service within the memory limit of a container, while hostile peers make it hold as much as they can, and two
 * upstreams are live: every frame of these is checked. `CONTAINER_MB` is the limit (256). It needs root and a writable
 * cgroup file system (version 1 or 2); without them it is skipped.
 */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as cnct, connectFields, frame, packet } from '../support/kmp/kmp-bytes.js';
import { audioMinf } from '../support/kmp/kmp-sender.js';
import { closeAll } from './faults/close-all.js';
import { Fleet } from './faults/fleet.js';
import { MemoryGroup } from './faults/memory-group.js';

const MB = 2 ** 20;
const limit = Number(process.env['CONTAINER_MB'] ?? 256) * MB;
const PER_ADDRESS = 200;
/** Share of the limit that the container may use. The rest is a margin for a busy machine. */
const MOST = 0.9;
/** Two bytes a character. */
const LONG = '\u00e9'.repeat(240);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const group = process.platform === 'linux' ? MemoryGroup.create(limit) : 'Linux only';

describe(`a container of ${limit / MB} MB`, { skip: typeof group === 'string' ? group : false }, () => {
  if (typeof group === 'string') return;
  let fleet: Fleet | undefined;
  const sockets = new Set<Socket>();
  const servers: Server[] = [];

  before(async () => {
    fleet = await Fleet.start({ upstreams: 2, dumps: false, wrapper: group.wrapper });
  });
  after(() =>
    closeAll(
      async () => assert.equal(await fleet?.close(), 0, 'the exit code of the service'),
      () => group.remove(),
    ),
  );
  afterEach(async (t) => {
    try {
      assert.equal(group.kills, 0, 'processes that the kernel has killed');
      const { service, live } = running();
      await running().flowing(live);
      running().assertUntouched(live);
      const mb = (bytes: number): number => Math.round(bytes / MB);
      console.log(`# ${t.name}: ${mb(service.rss)} MB, the most in the container was ${mb(group.peak)} MB`);
    } finally {
      for (const socket of sockets) socket.destroy();
      for (const server of servers.splice(0)) server.close();
    }
    assert.ok(group.peak <= MOST * limit, `${group.peak} bytes were used`);
    const { service, live } = running();
    await service.until('the end of the others', async () => {
      return Object.keys((await service.status()).upstreams).length === live.length;
    });
  });

  function running(): Fleet {
    assert.ok(fleet?.service.running === true, 'the service has ended');
    return fleet;
  }

  async function open(port: number, from = sockets.size): Promise<Socket> {
    const localAddress = `127.0.0.${2 + (Math.floor(from / PER_ADDRESS) % 200)}`;
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    await once(socket, 'connect');
    return socket;
  }
  const sender = (): Promise<Socket> => open(running().service.kmpPort);

  /** Accepts connections, and reads nothing behind the handshake. */
  async function deafServer(): Promise<number> {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.once('data', (hello) => {
        socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(1536), hello.subarray(1, 1537)]));
        socket.pause();
      });
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  it('many connections send much, and no complete connect packet', async () => {
    const claim = packet('cnct', connectFields(), Buffer.alloc(250_000, 'x'), { dataSize: 16 * MB });
    for (let i = 0; i < 1500; i++) (await sender()).write(claim);
    await sleep(2000);
  });

  it('many upstreams with servers that do not read', async () => {
    const port = await deafServer();
    for (let i = 0; i < 60; i++) {
      const socket = await sender();
      socket
        .resume()
        .write(cnct({ upstream_id: `${LONG}${i}`, url: `rtmp://127.0.0.1:${port}/app${i}/${LONG}`, name: LONG }));
      socket.write(audioMinf());
      for (let n = 0; n < 100; n++) socket.write(frame(Buffer.alloc(120_000, n), n * 1800, 1));
    }
    await sleep(3000);
    assert.ok(running().service.output.includes('kmp_rtmp_mem_limit'), 'the limit is in the log');
  });

  it('many tracks of one upstream, and of many, whose senders read no acks', async () => {
    const port = await deafServer();
    for (let i = 0; i < 1500; i++) {
      const socket = await sender();
      const id = i % 2 === 0 ? 'one' : `${LONG}${i}`;
      socket.pause().write(cnct({ upstream_id: id, url: `rtmp://127.0.0.1:${port}/app${i}/x`, name: `${LONG}${i}` }));
      socket.write(Buffer.concat([audioMinf(), ...Array.from({ length: 50 }, (_, n) => frame('x', n * 1800, 1))]));
    }
    await sleep(2000);
  });

  it('many HTTP clients that do not read large answers', async () => {
    const port = await deafServer();
    for (let i = 0; i < 400; i++) {
      const socket = await sender();
      const data = { upstream_id: `${LONG}${i}`, url: `rtmp://127.0.0.1:${port}/app${i}/${LONG}`, name: LONG };
      socket.resume().write(Buffer.concat([cnct(data, 'c'.repeat(31)), audioMinf(), frame('payload', 0, 1)]));
    }
    for (let i = 0; i < 300; i++) {
      const path = ['/api/upstreams', '/api/?pretty=1', '/metrics', '/events'][i % 4] ?? '/';
      (await open(running().service.httpPort))
        .pause()
        .write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(10));
      await sleep(5);
    }
    await sleep(2000);
  });
});
