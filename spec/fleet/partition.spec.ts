import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { noLog } from '../../lib/base/logger.js';
import { parseConfig } from '../../lib/config/load.js';
import { RedisEngine } from '../../lib/fleet/engine/redis-engine.js';
import { Service } from '../../lib/service.js';
import { systemClock } from '../../lib/time/clock.js';
import { CutLine } from '../support/network/cut-line.js';
import { eventually } from '../support/time/eventually.js';
import { freePort } from '../support/network/free-port.js';
import { frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { LogLines } from '../support/service/log-lines.js';
import { noRedis, startRedis, type Redis } from '../support/programs/redis.js';
import { AT_ONCE_DIRECTIVES } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

interface Node {
  readonly name: string;
  readonly service: Service;
  /** Where senders reach it. */
  readonly port: number;
  readonly kmp: CutLine;
  readonly engine: CutLine;
  readonly log: LogLines;
}

describe('a fleet that is cut in two', { timeout: 110_000, skip: noRedis }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-partition-'));
  const nodes: Node[] = [];
  const senders: KmpSender[] = [];
  let redis: Redis;
  let ingest: ScriptableIngest;

  before(async () => {
    redis = await startRedis();
    ingest = await ScriptableIngest.start({ answers: true });
    writeFileSync(join(folder, 'token'), '0123456789abcdef0123456789abcdef\n');
  });
  after(async () => {
    await ingest.close();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await Promise.all(
      nodes.splice(0).map(async ({ service, kmp, engine }) => {
        service.kill();
        await kmp.cut();
        await engine.cut();
      }),
    );
  });

  /** A node with lines that can be cut: that of the other nodes to it, and its own to the engine. */
  async function start(name: string): Promise<Node> {
    const [port, http] = [await freePort(), await freePort()];
    const [kmp, engine] = [await CutLine.to(port), await CutLine.to(redis.port)];
    const text = `fleet { engine redis://127.0.0.1:${engine.port}; name partition;
        node ${name} kmp=127.0.0.1:${kmp.port} http=127.0.0.1:${http}; peer_token_file token; engine_timeout 5s; }
      stream { kmp_rtmp_out_answer_timeout 0; ${AT_ONCE_DIRECTIVES}
        server { listen 127.0.0.1:${port}; kmp_rtmp; kmp_rtmp_out_allow 127.0.0.1; } }
      http { server { listen 127.0.0.1:${http}; location /health { kmp_rtmp_health; } } }`;
    const log = new LogLines();
    const service = new Service(parseConfig(text, join(folder, 'k.conf')), { log });
    await service.start();
    const node = { name, service, port, kmp, engine, log };
    nodes.push(node);
    return node;
  }

  async function two(): Promise<readonly [Node, Node]> {
    const both = [await start('n1'), await start('n2')] as const;
    await until(
      'the nodes of the fleet',
      () => Promise.resolve(both.map(({ service }) => service.fleet?.nodes.length)),
      (counts) => counts.every((count) => count === 2),
    );
    return both;
  }

  /** A sender of the video track, as a controller of the node at `by` sends it. */
  async function publish(id: string, by: Node, event: 'publish' | 'republish' = 'publish'): Promise<string> {
    assert.ok(by.service.fleet);
    const { node, epoch } = await by.service.fleet.place(id, event);
    const data = {
      ...{ upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/${id}` },
      ...{ fleet_node: node, fleet_epoch: epoch },
    };
    const owner = nodes.find(({ name }) => name === node);
    assert.ok(owner);
    const sender = await KmpSender.open(owner.port, data);
    senders.push(sender);
    sender.send(videoMinf(), frameAt(0, 'v0', { key: true }));
    await eventually(() => owner.service.fleet?.liveIds.includes(id) === true, `${id} at ${node}`);
    return node;
  }

  /** An id that the fleet places at a node. */
  async function idAt(node: Node): Promise<string> {
    for (let i = 0; ; i++) {
      const id = `cut-${node.name}-${i}`;
      if ((await node.service.fleet?.place(id, 'publish'))?.node === node.name) return id;
    }
  }

  it('has one publisher for an id again when the node that was cut off is back', async () => {
    const [a, b] = await two();
    const id = await idAt(a);
    assert.equal(await publish(id, a), 'n1');
    await a.engine.cut();
    await a.kmp.cut();
    await eventually(() => a.service.fleet?.engineUp === false, 'the loss of the engine');
    assert.equal(await publish(id, b, 'republish'), 'n2');
    assert.equal(b.service.fleet?.counters.takeovers, 1);
    assert.deepEqual(b.service.fleet?.liveIds, [id]);
    await a.engine.mend();
    await eventually(() => a.log.text.includes('upstream ended: fleet_moved'), 'the end of the upstream');
    assert.equal(a.service.fleet?.counters.fenced, 1);
    assert.deepEqual(b.service.fleet?.liveIds, [id]);
  });

  it('ends an upstream at once that another node takes over, although its node is there', async () => {
    const [a, b] = await two();
    const id = await idAt(a);
    assert.equal(await publish(id, a), 'n1');
    await a.kmp.cut();
    assert.equal(await publish(id, b, 'republish'), 'n2');
    await eventually(() => a.service.fleet?.counters.fenced === 1, 'the message of the engine');
    await eventually(() => a.log.text.includes('upstream ended: fleet_moved'), 'the end of the upstream');
  });

  it('moves an upstream to another node at a key frame before a node stops (SIGTERM)', async () => {
    const [a, b] = await two();
    const id = await idAt(a);
    assert.equal(await publish(id, a), 'n1');
    const sender = senders.at(-1);
    assert.ok(sender);
    const stopped = a.service.stop();
    await eventually(() => /1 upstreams move to other nodes/.test(a.log.text), 'the drain');
    let frames = 1;
    await until(
      'the end of the connection',
      () => {
        for (const key of [false, true]) sender.send(frameAt(40 * frames, `v${frames++}`, { key }));
        return Promise.resolve(sender.isClosed);
      },
      (isClosed) => isClosed,
    );
    const acked = Number(sender.lastAck ?? 0);
    assert.ok(acked > 0 && acked % 2 === 0, `frames up to ${acked} are acknowledged: not those of a begun group`);
    const [ended] = await a.service.management.closed();
    assert.equal(ended?.reason, 'fleet_moved');
    assert.equal(await publish(id, b, 'republish'), 'n2');
    assert.equal(b.service.fleet?.counters.takeovers, 0, 'the record was released before');
    await stopped;
  });

  it('keeps all that is live while the engine is away, and claims it afterwards', async () => {
    const [a, b] = await two();
    const ids = [await idAt(a), await idAt(b)];
    const owners = [await publish(ids[0] ?? '', b), await publish(ids[1] ?? '', a)];
    assert.deepEqual(owners, ['n1', 'n2']);
    await redis.kill();
    await eventually(() => [a, b].every(({ service }) => service.fleet?.engineUp === false), 'the loss of the engine');
    assert.equal(await publish(ids[0] ?? '', b, 'republish'), 'n1', 'a track that comes again finds its upstream');
    await redis.restart();
    await until(
      'the claims',
      () => Promise.all(ids.map((id) => redis.ask('GET', `kmp-rtmp:{partition}:owner:${id}`))),
      (records) => records.every((record, i) => String(record).endsWith(` ${owners[i]}`)),
    );
    assert.deepEqual(
      [a, b].map(({ service }) => service.fleet?.counters.fenced),
      [0, 0],
    );
  });

  it('gives no id twice if the engine itself is cut in two, and writes need a replica', async () => {
    const master = await startRedis({ args: ['--min-replicas-to-write', '1'] });
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    const connect = async (node: string, port: number): Promise<RedisEngine> => {
      const addresses = [{ host: '127.0.0.1', port }];
      const server = {
        tls: false,
        user: undefined,
        password: undefined,
        database: 0,
        ca: undefined,
        sentinel: undefined,
      };
      const engine = new RedisEngine(
        {
          name: 'split',
          node: { name: node },
          nodeTimeout: 60_000,
          engineTimeout: 20_000,
          engine: { addresses, ...server },
        },
        { clock: systemClock, log: noLog },
      );
      engine.start();
      await eventually(() => engine.up, `the engine of ${node}`);
      return engine;
    };
    const record = (name: string) => {
      const at = { host: '192.0.2.1', port: 8005 };
      return { name, kmp: at, http: at, draining: false, load: 0, started: 1, version: '1', seenAt: 0 };
    };
    const one = await connect('n1', master.port);
    const { nodes: known } = await until(
      'a heartbeat',
      () => one.beat(record('n1')),
      () => true,
    );
    assert.equal(known.length, 1);
    // The other side of the cut makes the replica its master.
    await replica.ask('REPLICAOF', 'NO', 'ONE');
    await until(
      'a master that has noticed it',
      () => master.ask('SET', 'x', '1').catch(() => 'refused'),
      (answer) => answer === 'refused',
    );
    const other = await connect('n2', replica.port);
    await other.beat(record('n2'));
    const ids = Array.from({ length: 100 }, (_, i) => `id-${i}`);
    const placed = await Promise.all(
      [one, other].map((engine) => Promise.allSettled(ids.map((id) => engine.place(id, ['n1', 'n2'])))),
    );
    const given = placed.map((answers) => answers.filter(({ status }) => status === 'fulfilled').length);
    assert.deepEqual(given, [0, 100]);
    assert.match(one.problem, /NOREPLICAS/);
    await Promise.all([one.stop(), other.stop(), master.stop(), replica.stop()]);
  });
});
