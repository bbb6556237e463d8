/**
 * Peers that are wrong, slow or many, at the sockets of a running service, while two upstreams are live: every frame of
 * these is checked. Short form: 1500 connections that send nothing; long form: `CONNECTIONS=10000 SLOW_SECONDS=600`.
 * SOCKET_SEED says which random bytes. Linux only: /proc, and all of 127.0.0.0/8 to connect from.
 */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { u32le } from '../support/values/bytes.js';
import { connect as cnct, connectFields, end, frame, packet } from '../support/kmp/kmp-bytes.js';
import { audioMinf } from '../support/kmp/kmp-sender.js';
import { CheckingIngest } from './faults/checking-ingest.js';
import { closeAll } from './faults/close-all.js';
import { Fleet, type Quiet } from './faults/fleet.js';
import { Random } from './random.js';

const connections = Number(process.env['CONNECTIONS'] ?? 1500);
/** s; all of a track's bytes take some four minutes. */
const slowSeconds = Number(process.env['SLOW_SECONDS'] ?? 4);
const seed = Number(process.env['SOCKET_SEED'] ?? Math.floor(Date.now() / 86_400_000));
/** `kmp_rtmp_in_max_connections_per_address`. */
const PER_ADDRESS = 1000;
/** ms, `kmp_rtmp_in_read_timeout`: long enough for all of them to be open at a time. */
const READ_TIMEOUT = Math.max(8000, connections * 2.5);
const MB = 2 ** 20;
/**
 * Above what it was before, of all that hostile peers can make the service hold: heap that waits to be collected, too.
 */
const ROOM = 150 * MB + connections * 20_000;

describe(`peers at the sockets, seed ${seed}`, { skip: process.platform === 'linux' ? false : 'Linux only' }, () => {
  const random = new Random(seed);
  let fleet: Fleet;
  let ingest: CheckingIngest;
  let quiet: Quiet;
  let memory = 0;
  const sockets = new Set<Socket>();
  const servers: Server[] = [];

  before(async () => {
    const media = `kmp_rtmp_in_max_connections ${connections}; kmp_rtmp_in_max_connections_per_address ${PER_ADDRESS};
      kmp_rtmp_in_read_timeout ${READ_TIMEOUT}ms;`;
    fleet = await Fleet.start({ upstreams: 2, media });
    ingest = await CheckingIngest.start(() => undefined);
    quiet = await fleet.settled();
    memory = fleet.service.rss;
  });
  after(() =>
    closeAll(
      async () => assert.equal(await fleet.close(), 0, 'the exit code of the service'),
      () => ingest.kill(),
    ),
  );
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    for (const server of servers.splice(0)) server.close();
    await fleet.flowing(fleet.live);
    fleet.assertUntouched(fleet.live);
    await fleet.assertNothingLeaked(quiet);
    const grown = fleet.service.rss - memory;
    assert.ok(grown < ROOM, `${Math.round(grown / MB)} MB more than before`);
  });

  /** A connection from an address that is not that of the live senders. */
  async function open(address = '127.0.0.2'): Promise<Socket> {
    const socket = connect({ port: fleet.service.kmpPort, host: '127.0.0.1', localAddress: address });
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
    await once(socket, 'connect');
    return socket;
  }
  async function listen(server: Server): Promise<number> {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
  const url = (name: string): string => `rtmp://127.0.0.1:${ingest.port}/app/${name}`;
  const track = (id: string): Buffer[] => [cnct({ upstream_id: id, url: url('s') }), audioMinf()];
  const closed = (): Promise<void> => fleet.service.until('the end of all connections', () => sockets.size === 0);

  it('random bytes: closed', async () => {
    for (let i = 0; i < 300; i++) (await open()).write(random.bytes(1 + random.below(2000)));
    // Fewer bytes than a packet's header say nothing yet: those wait for the time limit.
    await closed();
  });

  it('a track cut off at every byte: in order, and with a reset', async () => {
    const bytes = Buffer.concat([...track('cut'), frame('payload', 90, 1), end]);
    for (let length = 0; length < bytes.length; length++) {
      const socket = await open();
      socket.write(bytes.subarray(0, length));
      if (length % 2 === 0) socket.end();
      else socket.resetAndDestroy();
    }
    await closed();
  });

  it('a byte at a time is as good as all at once', async () => {
    const socket = await open();
    for (const byte of Buffer.concat(track('slow'))) {
      socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await fleet.service.until('the upstream', async () => (await fleet.service.get('/api/upstreams/slow')) === 200);
    socket.end(end);
    await fleet.service.until('its end', async () => (await fleet.service.get('/api/upstreams/slow')) === 404);
  });

  it(`a byte a second, for ${slowSeconds} s: as good as all at once in the end, and nothing before`, async () => {
    const senders = await Promise.all(Array.from({ length: 50 }, () => open()));
    const bytes = Buffer.concat(track('a-byte-a-second'));
    for (let i = 0; i < Math.min(slowSeconds, bytes.length); i++) {
      for (const socket of senders) socket.write(bytes.subarray(i, i + 1));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      if (i < bytes.length - 1) assert.equal(sockets.size, senders.length, 'all are still waited for');
    }
    assert.ok(fleet.service.rss - memory < ROOM);
    if (slowSeconds < bytes.length) return;
    // One has the track, which has no room for the others.
    await fleet.service.until(
      'the upstream',
      async () => (await fleet.service.get('/api/upstreams/a-byte-a-second')) === 200,
    );
    await fleet.service.until('the end of the others', () => sockets.size === 1);
    for (const socket of sockets) socket.end(end);
    await closed();
  });

  it('claims of 16 MB are not believed, and connect data of 16 MB is cut off at the limit', async () => {
    const claim = packet('cnct', connectFields(), Buffer.alloc(200_000, 0x20), { dataSize: 16 * MB });
    for (let i = 0; i < 200; i++) (await open()).write(claim);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // 200 x 256k is what the limit lets them hold.
    assert.ok(fleet.service.rss - memory < ROOM, `${Math.round((fleet.service.rss - memory) / MB)} MB more`);
    const all = packet('cnct', connectFields(), Buffer.alloc(16 * MB, 0x20));
    const socket = await open();
    socket.write(all);
    await fleet.service.until('the end of the connection', () => !sockets.has(socket));
    assert.match(fleet.service.output, /kmp_rtmp_in_mem_limit/);
  });

  it('JSON that is deep, of wrong types, or no UTF-8: closed', async () => {
    const deep = `{"upstream_id":"d","url":${'['.repeat(100_000)}`;
    const wrong = ['{"upstream_id":["a"],"url":{}}', '[]', '"x"', '{"upstream_id":"\\ud800"}', deep];
    for (const data of [...wrong, Buffer.from('{"upstream_id":"\xff\xfe","url":"\xc0\x80"}', 'latin1')]) {
      (await open()).write(Buffer.concat([cnct(data), audioMinf()]));
    }
    await closed();
  });

  it('ids and names that objects inherit, and other odd ones, are ids like others', async () => {
    const ids = [
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      '',
      '\u0000',
      '../../etc',
      '%2e%2e',
      'a/b?c#d',
    ];
    for (const id of [...ids.filter((one) => one !== ''), '\u{1f600}', 'x'.repeat(256)]) {
      const socket = await open();
      const data = { upstream_id: id, url: url('s'), name: id };
      socket.write(Buffer.concat([cnct(data), audioMinf(), frame('payload')]));
      const path = `/api/upstreams/${encodeURIComponent(id)}`;
      await fleet.service.until(`upstream ${id.slice(0, 20)}`, async () => (await fleet.service.get(path)) === 200);
      const { upstreams } = await fleet.service.status();
      assert.ok(Object.hasOwn(upstreams, id), `${id.slice(0, 20)} is in the status`);
      assert.ok(Object.hasOwn(upstreams[id]?.streams ?? {}, id), `and its stream`);
      assert.equal(await fleet.service.request('DELETE', path), 204);
    }
    await closed();
    for (const id of ids) assert.equal(await fleet.service.get(`/api/upstreams/${encodeURIComponent(id)}x`), 404);
  });

  it(`${connections} connections that send nothing: as many as the limits say, and they end with the time limit`, async () => {
    const before = fleet.service.rss;
    const answered = (): Promise<number> => fleet.service.metric('kmp_rtmp_input_connections_total');
    const first = await answered();
    let opened = 0;
    const addresses = Math.ceil(connections / PER_ADDRESS) + 1;
    // More than the limit for each address, and than that for all.
    for (let i = 0; i < connections * 1.1; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => open(`127.0.0.${10 + ((i + n) % addresses)}`)));
      opened += 50;
    }
    // The kernel takes connections before the service does.
    await fleet.service.until('all to be accepted or refused', async () => (await answered()) - first >= opened);
    await fleet.service.until('the end of refused ones', () => sockets.size <= connections);
    console.log(`# ${sockets.size} idle connections open, ${Math.round((fleet.service.rss - before) / MB)} MB more`);
    await fleet.flowing(fleet.live);
    await closed();
  });

  it('servers that answer with random bytes end their own upstream only', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (hello) => {
        // A right handshake, every other time; then whatever comes.
        if (random.oneIn(2)) socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(1536), hello.subarray(1, 1537)]));
        socket.write(random.bytes(random.below(8000)));
        socket.write(u32le(random.u32()));
      });
    });
    const port = await listen(server);
    for (let i = 0; i < 100; i++) {
      // Each has its own destination: the others would wait for their turns after the first failure.
      const data = { upstream_id: `wild${i}`, url: `rtmp://127.0.0.1:${port}/app/s${i}` };
      (await open()).write(Buffer.concat([cnct(data), audioMinf(), frame('payload')]));
    }
    await closed();
  });

  it('servers that flood with messages of a byte, and senders with media infos, end their own upstream only', async () => {
    const again = Buffer.alloc(64 * 1024, 0xc3);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (hello) => {
        socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(1536), hello.subarray(1, 1537)]));
        // A command without a byte, and the same again for each byte that follows.
        socket.write(Buffer.concat([Buffer.of(3, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0), again]));
        const pump = (): void => {
          while (!socket.destroyed && socket.write(again));
        };
        socket.on('drain', pump).resume();
        pump();
      });
    });
    const port = await listen(server);
    const infos = Array.from({ length: 1000 }, (_, i) => [audioMinf({ extraData: u32le(i) }), frame('payload', i, 1)]);
    for (let i = 0; i < 10; i++) {
      const flooded = await open();
      flooded.write(
        Buffer.concat([cnct({ upstream_id: `f${i}`, url: `rtmp://127.0.0.1:${port}/app/f${i}` }), audioMinf()]),
      );
      (await open()).write(Buffer.concat([...track(`i${i}`), ...infos.flat()]));
    }
    await closed();
    assert.match(fleet.service.output, /more than 2000 messages at once/);
    assert.match(fleet.service.output, /more than 256 media infos are pending/);
  });

  it('HTTP requests by the thousand in one write are not answered by the thousand', async () => {
    for (const path of ['/api/', '/metrics']) {
      const socket = await fleet.service.openHttp();
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(20_000));
      socket.resume();
    }
    await closed();
  });
});
