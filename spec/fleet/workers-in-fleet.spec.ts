import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { RedisEngine } from '../../lib/fleet/engine/redis-engine.js';
import { slotOf } from '../../lib/placement/rendezvous.js';
import { systemClock } from '../../lib/time/clock.js';
import { Folder } from '../support/process/cli.js';
import { eventually } from '../support/time/eventually.js';
import { freePort } from '../support/network/free-port.js';
import { framesOf } from '../support/ingest/ingest-media.js';
import { KmpPeer, type PeerConnection } from '../support/kmp/kmp-peer.js';
import { KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { names, videoFrames } from '../support/service/live.js';
import { LogLines } from '../support/service/log-lines.js';
import { noRedis, startRedis, type Redis } from '../support/programs/redis.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';
import { WorkerService } from '../support/service/worker-service.js';

const hasWorkers = process.env['KMP_RTMP_NODE_INTERNALS'] !== 'off';
const skip = noRedis === false ? (hasWorkers ? false : 'workers need the internals of Node') : noRedis;

interface Closed {
  readonly reason: string;
  readonly message: string;
}

/** ms. Long, because specs run on loaded machines. */
const ENGINE_TIMEOUT = 20_000;

/** Node n1 runs as a program with two workers. Node n2 is the spec itself: a KMP server, and heartbeats. */
describe('a node with two workers', { timeout: 110_000, skip }, () => {
  const folder = new Folder();
  const senders: KmpSender[] = [];
  let redis: Redis;
  let service: WorkerService;
  let ingest: ScriptableIngest;
  let n2: KmpPeer;
  let engine: RedisEngine;
  /** Nobody listens there: n1 asks it for its upstreams in vain. */
  let httpOfN2: number;

  const open = async (id: string, node: string, epoch: number): Promise<KmpSender> => {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/${id}`;
    const data = { upstream_id: id, url, fleet_node: node, fleet_epoch: epoch };
    const sender = await KmpSender.open(service.kmpPort, data);
    senders.push(sender);
    return sender;
  };
  const beat = (): Promise<unknown> => {
    const kmp = { host: '127.0.0.1', port: n2.port };
    const record = { draining: false, load: 0, started: 1, version: '1', seenAt: 0 };
    return engine.beat({ name: 'n2', kmp, http: { host: '127.0.0.1', port: httpOfN2 }, ...record });
  };

  before(async () => {
    folder.file('token', '0123456789abcdef0123456789abcdef\n');
    redis = await startRedis();
    ingest = await ScriptableIngest.start({ answers: true });
    n2 = await KmpPeer.listen();
    httpOfN2 = await freePort();
    engine = new RedisEngine(
      {
        ...{ name: 'spec', node: { name: 'n2' }, nodeTimeout: 60_000, engineTimeout: ENGINE_TIMEOUT },
        engine: {
          addresses: [{ host: '127.0.0.1', port: redis.port }],
          ...{ tls: false, user: undefined, password: undefined, database: 0, ca: undefined, sentinel: undefined },
        },
      },
      { clock: systemClock, log: new LogLines() },
    );
    engine.start();
    await until('the engine', beat, () => true);
    service = await WorkerService.start({
      main: `fleet {
        engine redis://127.0.0.1:${redis.port}; engine_timeout 5s; name spec; node_timeout 60s;
        node n1 kmp=127.0.0.1:8005 http=127.0.0.1:8001; peer_token_file ${folder.path}/token;
      }`,
      media: 'kmp_rtmp_out_flush_timeout 0; kmp_rtmp_out_min_process_delay 0;',
    });
  });
  afterEach(() => {
    for (const sender of senders.splice(0)) sender.destroy();
  });
  after(async () => {
    await service.close();
    await engine.stop();
    await n2.close();
    await ingest.close();
    await redis.stop();
    folder.remove();
  });

  it('passes the tracks of another node on from any worker, and acks back', async () => {
    for (let n = 0; n < 4; n++) {
      let before = new Set(n2.connections);
      const arrived = (): PeerConnection | undefined => n2.connections.find((one) => !before.has(one));
      // Until the node has had its first answer of the engine, it does not know n2, and refuses.
      const relayed = async (): Promise<KmpSender> => {
        // On a busy machine, a connection can be given up by one side after the other side has accepted it.
        before = new Set(n2.connections);
        const sender = await open(`there-${n}`, 'n2', 1);
        sender.send(videoMinf(), ...videoFrames(0, 3));
        await eventually(() => sender.isClosed || arrived() !== undefined, 'a connection');
        return sender;
      };
      const sender = await until('a connection that is passed on', relayed, ({ isClosed }) => !isClosed);
      const there = arrived();
      assert.ok(there);
      await eventually(() => there.frames.length === 3, 'the frames');
      assert.deepEqual(there.frames.map(String), ['v0', 'v1', 'v2']);
      there.ack(3n);
      await sender.acked(3n);
    }
  });

  it('is drained: what is published before a key frame is acknowledged, and the record goes to another node', async () => {
    const sender = await open('drained', 'n1', 1);
    sender.send(videoMinf(), ...videoFrames(0, 6));
    // Before the server publishes the stream, nothing is acknowledged.
    await sender.acked(5n);
    await until(
      'the claim',
      () => engine.ownerOf('drained'),
      (found) => found?.node === 'n1',
    );
    await beat();
    const [status] = await service.order('fleet/drain');
    assert.equal(status, 200);
    let sent = 6;
    const closed = (): Promise<boolean> => {
      if (!sender.isClosed) sender.send(...videoFrames(sent, (sent += 5)));
      return Promise.resolve(sender.isClosed);
    };
    await until('the end of the connection', closed, (isClosed) => isClosed);
    const frames = ingest.connections.flatMap((connection) => framesOf(connection));
    const acked = Number(sender.lastAck);
    assert.equal(acked % 5, 0, `${acked} is no key frame`);
    assert.deepEqual(frames.slice(0, acked), names('v', 0, acked));
    const left = await until(
      'the end of the drain',
      () => service.get('fleet/drain'),
      (answer) => (answer as { left: number }).left === 0,
    );
    assert.deepEqual(left, { draining: true, moved: 1, left: 0 });
    const next = await engine.place('drained', ['n1', 'n2']);
    assert.deepEqual([next.node, next.created], ['n2', true]);
    assert.equal(await service.drop('fleet/drain'), 200);
  });

  it('ends what another node has taken over, in the worker that has it, and accepts it with a newer epoch only', async () => {
    const all = Array.from({ length: 20 }, (_, n) => `u${n}`);
    const ids = [0, 1].map((slot) => all.find((id) => slotOf(id, 2) === slot) ?? '');
    for (const id of ids) {
      const sender = await open(id, 'n1', 1);
      sender.send(videoMinf(), ...videoFrames(0, 5));
      await eventually(() => ingest.connections.some((one) => framesOf(one).length === 5), 'the frames');
      const owner = await until(
        'the claim',
        () => engine.ownerOf(id),
        (found) => found?.node === 'n1',
      );
      await beat();
      const taken = await engine.place(id, ['n2'], 'n1');
      assert.equal(taken.node, 'n2');
      assert.ok(taken.epoch > (owner?.epoch ?? Infinity), 'epochs grow');
      await sender.closed;
      const closed = async (): Promise<Closed | undefined> =>
        ((await service.get(`closed?upstream_id=${id}`)) as Closed[])[0];
      const last = await until('the record of its end', closed, (found) => found !== undefined);
      assert.equal(last?.reason, 'fleet_moved');
      assert.match(last.message, /node n2 owns it/);
      await (
        await open(id, 'n1', 1)
      ).closed;
      const returned = await engine.place(id, ['n1'], 'n2');
      assert.equal(returned.node, 'n1');
      const again = await open(id, 'n1', returned.epoch);
      again.send(videoMinf());
      await until(
        'its return',
        () => service.status(),
        ({ upstreams }) => upstreams[id] !== undefined,
      );
      assert.equal(again.isClosed, false);
    }
  });
});
