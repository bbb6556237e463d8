/**
 * Work that peers cause in bursts, while two upstreams are live: every frame of these is checked, and how late the
 * event loop of the service is. Short form by default; long form: `SERVERS=12 MANY=2000 MOST_DELAY=200`.
 * MOST_DELAY: ms that the event loop's longest delay may come to; none by default, since it tells of the machine as
 * much as of the service. Linux only: /proc, and all of 127.0.0.0/8 to connect from.
 */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { connect as cnct, frame } from '../support/kmp/kmp-bytes.js';
import { audioMinf } from '../support/kmp/kmp-sender.js';
import { amf, chunked, u32 } from '../support/ingest/script-bytes.js';
import { CheckingIngest } from './faults/checking-ingest.js';
import { closeAll } from './faults/close-all.js';
import { Fleet } from './faults/fleet.js';

const floods = Number(process.env['SERVERS'] ?? 4);
const many = Number(process.env['MANY'] ?? 100);
const mostDelay = Number(process.env['MOST_DELAY'] ?? Infinity);
const OPEN_AT_ONCE = 20;
/** Ids, names and keys have as many characters as they may have, of two bytes each. */
const LONG = '\u00e9'.repeat(240);

describe('bursts', { skip: process.platform === 'linux' ? false : 'Linux only' }, () => {
  let fleet: Fleet;
  let ingest: CheckingIngest;
  const sockets = new Set<Socket>();
  const servers: Server[] = [];

  before(async () => {
    fleet = await Fleet.start({ upstreams: 2, dumps: false, media: 'kmp_rtmp_in_read_timeout 600s;' });
    ingest = await CheckingIngest.start(() => undefined);
  });
  after(() =>
    closeAll(
      () => servers.forEach((server) => server.close()),
      () => sockets.forEach((socket) => socket.destroy()),
      async () => assert.equal(await fleet.close(), 0, 'the exit code of the service'),
      () => ingest.kill(),
    ),
  );
  beforeEach(() => fleet.service.probe.mark());
  afterEach(async (t) => {
    const { p99, max } = await fleet.service.probe.delay();
    console.log(`# ${t.name}: event loop delay p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`);
    assert.ok(max <= mostDelay, `${max} ms`);
    await fleet.flowing(fleet.live);
    fleet.assertUntouched(fleet.live);
  });

  async function send(data: object): Promise<void> {
    const localAddress = `127.0.0.${2 + (sockets.size % 200)}`;
    const socket = connect({ port: fleet.service.kmpPort, host: '127.0.0.1', localAddress });
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.resume();
    await once(socket, 'connect');
    socket.write(Buffer.concat([cnct(data, 'c'.repeat(31), 't'.repeat(31)), audioMinf(), frame('payload', 0, 1)]));
  }

  /** Accepts the handshake, and says nothing else before {@link all} of them do. */
  async function silentServer(): Promise<{ port: number; ready: Socket[] }> {
    const ready: Socket[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      let hello = Buffer.alloc(0);
      const onData = (bytes: Buffer): void => {
        hello = Buffer.concat([hello, bytes]);
        if (hello.length < 1537) return;
        socket.off('data', onData).resume();
        socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(1536), hello.subarray(1, 1537)]));
        ready.push(socket);
      };
      socket.on('data', onData);
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, ready };
  }

  const nested = Buffer.concat([Buffer.of(10), u32(4000), Buffer.alloc(16_000).fill(Buffer.of(3, 0, 0, 9))]);
  const keys = amf(Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`k${i}`, null])));
  for (const [what, value] of [
    ['nested', nested],
    ['with thousands of keys', keys],
  ] as const) {
    it(`${floods} servers send bursts of AMF objects, ${what}`, async () => {
      const { port, ready } = await silentServer();
      for (let i = 0; i < floods; i++)
        await send({ upstream_id: `amf${i}`, url: `rtmp://127.0.0.1:${port}/app${i}/s` });
      await fleet.service.until('all connections', () => ready.length === floods);
      const payload = Buffer.concat([amf('onStatus'), amf(0), amf(null), value]);
      const message = chunked({ type: 20, payload }, 0x7fffffff);
      const large = chunked({ type: 1, payload: u32(0x7fffffff) }, 128);
      const burst = Buffer.concat([large, ...Array<Buffer>(1900).fill(message)]);
      await fleet.service.probe.mark();
      for (const socket of ready) socket.write(burst);
      await fleet.service.until('the end of all', () => sockets.size === 0);
    });
  }

  async function begin(): Promise<void> {
    for (let i = 0; i < many; i += OPEN_AT_ONCE) {
      const some = Array.from({ length: Math.min(OPEN_AT_ONCE, many - i) }, (_, n) => {
        const url = `rtmp://127.0.0.1:${ingest.port}/app${i + n}/${LONG}`;
        return send({ upstream_id: `${LONG}${i + n}`, url, name: LONG });
      });
      await Promise.all(some);
    }
    await fleet.service.until('all connections', () => ingest.sockets.size === many, 120_000);
  }
  async function allEnd(): Promise<void> {
    const ids = async (): Promise<number> => Object.keys((await fleet.service.status()).upstreams).length;
    await fleet.service.until('the end of all', async () => (await ids()) === fleet.live.length, 60_000);
  }

  it(`${many} upstreams with long ids begin`, begin);

  for (const path of ['/api/upstreams', '/api/?pretty=1', '/metrics']) {
    it(`${path} of ${many} upstreams, several times at once`, async () => {
      for (let i = 0; i < 3; i++) {
        const answers = await Promise.all([1, 2, 3].map(() => fleet.service.get(path)));
        assert.deepEqual(answers, [200, 200, 200]);
      }
    });
  }

  it(`the servers of ${many} upstreams reset all connections at once`, async () => {
    ingest.reset();
    await allEnd();
  });

  it(`${many} senders leave at once`, async () => {
    await begin();
    await fleet.service.probe.mark();
    for (const socket of sockets) socket.destroy();
    await allEnd();
  });
});
