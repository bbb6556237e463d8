import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { RedisEngine } from '../../../lib/fleet/engine/redis-engine.js';
import type { NodeRecord, OwnerRecord } from '../../../lib/fleet/node-record.js';
import { chooseOwner, type Candidate } from '../../../lib/placement/choose.js';
import { rendezvousOrder } from '../../../lib/placement/rendezvous.js';
import { systemClock } from '../../../lib/time/clock.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { LogLines } from '../../support/service/log-lines.js';
import { freePort } from '../../support/network/free-port.js';
import { noRedis, startRedis, type Redis } from '../../support/programs/redis.js';
import { ca } from '../../support/network/tls-fixture.js';
import { until } from '../../support/time/until.js';

/** Long, because specs run on loaded machines. */
const ENGINE_TIMEOUT = 20_000;

function record(name: string, more: Partial<NodeRecord> = {}): NodeRecord {
  const [kmp, http] = [8005, 8001].map((port) => ({ host: '192.0.2.1', port }));
  assert.ok(kmp && http);
  return { name, kmp, http, draining: false, load: 0, started: 1, version: '1', seenAt: 0, ...more };
}

describe('the engine', { timeout: 110_000, skip: noRedis }, () => {
  let redis: Redis;
  let fleets = 0;
  let name = '';
  const engines: RedisEngine[] = [];

  before(async () => (redis = await startRedis()));
  after(() => redis.stop());
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.stop()));
    name = '';
  });

  /** An engine that is in use. All of one spec belong to one fleet. */
  async function connected(
    node: string,
    {
      at = redis as Pick<Redis, 'port'>,
      nodeTimeout = 60_000,
      engineTimeout = ENGINE_TIMEOUT,
      log = new LogLines(),
      password = '',
      clock = systemClock,
    } = {},
  ): Promise<RedisEngine> {
    if (name === '') name = `spec-${++fleets}`;
    const engine = new RedisEngine(
      {
        name,
        node: { name: node },
        nodeTimeout,
        engineTimeout,
        engine: {
          addresses: [{ host: '127.0.0.1', port: at.port }],
          ...{ tls: false, user: undefined, password, database: 0, ca: undefined, sentinel: undefined },
        },
      },
      { clock, log },
    );
    engines.push(engine);
    engine.start();
    await eventually(() => engine.up, `the engine of ${node}`);
    return engine;
  }

  it('returns all nodes with each heartbeat', async () => {
    const [a, b] = [await connected('a'), await connected('b')];
    await a.beat(record('a', { load: 3, http: { host: 'a.example.com', port: 8443, tls: true } }));
    const { nodes, now } = await b.beat(record('b', { draining: true }));
    const [first, second] = nodes.toSorted((x, y) => (x.name < y.name ? -1 : 1));
    assert.ok(first && second && nodes.length === 2);
    const { seenAt, ...rest } = first;
    const { seenAt: _, ...expected } = record('a', { load: 3, http: { host: 'a.example.com', port: 8443, tls: true } });
    assert.deepEqual(rest, expected);
    assert.ok(seenAt <= now && now - seenAt < 60_000 && seenAt > 1.7e12);
    assert.equal(second.draining, true);
  });

  it('says that another process had the name of this node', async () => {
    const [one, other] = [await connected('a'), await connected('a')];
    assert.equal((await one.beat(record('a', { started: 5 }))).startedBefore, undefined);
    assert.equal((await other.beat(record('a', { started: 7 }))).startedBefore, 5);
    assert.equal((await one.beat(record('a', { started: 5 }))).startedBefore, 7);
  });

  it('gives an id to the first node in order, and keeps it there', async () => {
    const [a, b] = [await connected('a'), await connected('b')];
    await a.beat(record('a'));
    await b.beat(record('b'));
    const first = await a.place('id', ['b', 'a']);
    assert.equal(first.node, 'b');
    assert.equal(first.created, true);
    assert.deepEqual(await b.place('id', ['a', 'b']), { ...first, created: false });
    assert.deepEqual(await a.ownerOf('id'), { id: 'id', node: 'b', epoch: first.epoch });
    assert.equal(await a.ownerOf('another'), undefined);
  });

  it('takes any id', async () => {
    const a = await connected('a');
    await a.beat(record('a'));
    for (const id of ['', ' ', 'a b', '__proto__', 'ü💡', '\u0000\n', '*', '{x}', 'x'.repeat(60_000)]) {
      const { node, epoch } = await a.place(id, ['a']);
      assert.deepEqual(await a.ownerOf(id), { id, node, epoch });
    }
  });

  it('says that an owner has sent no heartbeat in time, and replaces it with a higher epoch if told to', async () => {
    const [a, b] = [await connected('a'), await connected('b', { nodeTimeout: 300 })];
    await a.beat(record('a'));
    const { epoch } = await a.place('id', ['a']);
    assert.equal((await a.place('id', ['a'])).stale, false);
    const stale = await until(
      'a dead node',
      () => b.place('id', ['a', 'b']),
      (placed) => placed.stale,
    );
    assert.deepEqual(stale, { node: 'a', epoch, created: false, stale: true });
    const replaced = await until(
      'another owner',
      async () => {
        await b.beat(record('b'));
        return b.place('id', ['a', 'b'], 'a');
      },
      ({ node }) => node === 'b',
    );
    assert.ok(replaced.epoch > epoch);
    assert.equal(replaced.previous, 'a');
  });

  it('replaces an owner that has left', async () => {
    const a = await connected('a');
    for (const node of ['a', 'b']) await a.beat(record(node));
    await a.place('id', ['b']);
    await a.leave('b');
    const { node, previous } = await a.place('id', ['b', 'a']);
    assert.deepEqual([node, previous], ['a', 'b']);
  });

  it('replaces an excluded owner once, if two controllers ask', async () => {
    const [a, b] = [await connected('a'), await connected('b')];
    for (const node of ['a', 'b', 'c']) await a.beat(record(node));
    const before = await a.place('id', ['a', 'b', 'c']);
    const [one, other] = await Promise.all([a.place('id', ['b', 'c'], 'a'), b.place('id', ['c', 'b'], 'a')]);
    assert.equal(one.node, other.node);
    assert.equal(one.epoch, other.epoch);
    assert.deepEqual([one.created, other.created].sort(), [false, true]);
    assert.ok(one.epoch > before.epoch);
  });

  it('keeps an excluded owner if there is no other node', async () => {
    const a = await connected('a');
    await a.beat(record('a'));
    const before = await a.place('id', ['a']);
    assert.deepEqual(await a.place('id', ['a'], 'a'), { ...before, created: false });
  });

  it('places no new id on a node that drains, but keeps those that it has', async () => {
    const a = await connected('a');
    await a.beat(record('a'));
    await a.beat(record('b'));
    assert.equal((await a.place('old', ['a', 'b'])).node, 'a');
    await a.beat(record('a', { draining: true }));
    assert.equal((await a.place('old', ['a', 'b'])).node, 'a');
    assert.equal((await a.place('new', ['a', 'b'])).node, 'b');
  });

  it('gives 1000 ids that two controllers place at once one owner each', async () => {
    const [a, b] = [await connected('a'), await connected('b')];
    const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'];
    for (const node of nodes) await a.beat(record(node));
    const ids = Array.from({ length: 1000 }, (_, i) => `id-${i}`);
    // The two see the nodes in different orders, as with views of different age.
    const [one, other] = await Promise.all([
      Promise.all(ids.map((id) => a.place(id, rendezvousOrder(id, nodes)))),
      Promise.all(ids.map((id) => b.place(id, rendezvousOrder(id, nodes).toReversed()))),
    ]);
    const twice = ids.filter((_, i) => one[i]?.node !== other[i]?.node || one[i]?.epoch !== other[i]?.epoch);
    assert.deepEqual(twice, []);
    assert.equal(new Set(one.map(({ epoch }) => epoch)).size, 1000, 'no epoch is given twice');
    const loads = nodes.map((node) => one.filter((placed) => placed.node === node).length);
    assert.ok(Math.max(...loads) <= 250, `at most 1.25 times the mean: ${loads.join(' ')}`);
  });

  it('chooses by the same rule as lib/placement', async () => {
    const a = await connected('a');
    const node = fc.record({ draining: fc.boolean(), load: fc.nat(40), alive: fc.boolean() });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 6 }), fc.option(fc.nat(5)), async (nodes, left) => {
        const prefix = `${++run}-`;
        const all: Candidate[] = nodes.map((one, i) => ({ ...one, name: `${prefix}${i}` }));
        const exclude = left === null ? undefined : `${prefix}${left}`;
        for (const one of all) if (one.alive) await a.beat(record(one.name, one));
        const id = `rule-${run}`;
        const order = rendezvousOrder(
          id,
          all.map(({ name: one }) => one),
        );
        const placed = await a.place(id, order, exclude).catch(() => undefined);
        assert.equal(placed?.node, chooseOwner(id, all, exclude));
        for (const one of all) await a.leave(one.name);
      }),
      { numRuns: 60 },
    );
  });

  it('tells the owner, and the one before', async () => {
    const [a, b] = [await connected('a'), await connected('b')];
    const told: Record<string, OwnerRecord[]> = { a: [], b: [] };
    a.onOwner = (change) => told['a']?.push(change);
    b.onOwner = (change) => told['b']?.push(change);
    for (const node of ['a', 'b']) await a.beat(record(node));
    const first = await a.place('i d', ['a']);
    const second = await a.place('i d', ['b'], 'a');
    await eventually(() => told['b']?.length === 1 && told['a']?.length === 2, 'the changes');
    const changes = [first, second].map(({ node, epoch }) => ({ id: 'i d', node, epoch }));
    assert.deepEqual(told, { a: changes, b: changes.slice(1) });
  });

  it('announces nodes that join, drain and leave', async () => {
    const [a, b] = [await connected('a'), await connected('b')];
    let announced = 0;
    a.onNodes = () => void announced++;
    await b.beat(record('b'));
    await eventually(() => announced === 1, 'a node that joins');
    await b.beat(record('b'));
    await b.beat(record('b', { draining: true }));
    await eventually(() => announced === 2, 'a node that drains');
    await b.leave('b');
    await eventually(() => announced === 3, 'a node that leaves');
    assert.deepEqual(
      (await a.beat(record('a'))).nodes.map((node) => node.name),
      ['a'],
    );
  });

  describe('a claim', () => {
    it('records ids that have no owner, and keeps their epochs', async () => {
      const a = await connected('a');
      await a.beat(record('a'));
      const [given, ...others] = await a.claim('a', [
        { id: 'new', epoch: 0 },
        { id: 'kept', epoch: 77 },
      ]);
      assert.deepEqual(others, []);
      assert.ok(given && given.id === 'new' && given.node === 'a' && given.epoch > 1.7e12);
      assert.deepEqual(await a.ownerOf('kept'), { id: 'kept', node: 'a', epoch: 77 });
      assert.deepEqual(await a.claim('a', [{ id: 'new', epoch: given.epoch }]), []);
    });

    it('loses to an owner that is alive and newer', async () => {
      const [a, b] = [await connected('a'), await connected('b')];
      for (const node of ['a', 'b']) await a.beat(record(node));
      const { epoch } = await a.place('id', ['b']);
      for (const older of [0, 1, epoch - 1, epoch]) {
        assert.deepEqual(await b.claim('a', [{ id: 'id', epoch: older }]), [{ id: 'id', node: 'b', epoch }]);
      }
    });

    it('wins against a dead owner with a new epoch, and against an older record with its own', async () => {
      const a = await connected('a');
      for (const node of ['a', 'b']) await a.beat(record(node));
      const { epoch } = await a.place('dead', ['b']);
      await a.place('old', ['b']);
      await a.leave('b');
      const [won, ...none] = await a.claim('a', [{ id: 'dead', epoch: 5 }]);
      assert.deepEqual(none, []);
      assert.ok(won && won.node === 'a' && won.epoch > epoch);
      await a.beat(record('b'));
      const newer = epoch * 2;
      assert.deepEqual(await a.claim('a', [{ id: 'old', epoch: newer }]), []);
      assert.deepEqual(await a.ownerOf('old'), { id: 'old', node: 'a', epoch: newer });
      assert.ok((await a.place('next', ['b'])).epoch > newer, 'no later epoch is below one that was claimed');
    });

    it('takes more ids than one script does', async () => {
      const a = await connected('a');
      await a.beat(record('a'));
      const owned = Array.from({ length: 1234 }, (_, i) => ({ id: `many-${i}`, epoch: i % 2 }));
      const changed = await a.claim('a', owned);
      assert.equal(changed.length, 617);
      assert.ok(changed.every(({ id, node }) => node === 'a' && Number(id.slice(5)) % 2 === 0));
    });

    it('has the whole time for each of its scripts, because other nodes claim theirs at the same time', async (t) => {
      const clock = new FakeClock();
      let slow = false;
      // The engine behind it takes more than half of the time for each script, one after the other.
      const server = createServer((near) => {
        const far = connect(redis.port, '127.0.0.1');
        for (const [socket, other] of [
          [near, far],
          [far, near],
        ] as const) {
          socket.on('error', () => {});
          socket.on('close', () => other.destroy());
        }
        far.pipe(near);
        near.on('data', (bytes: Buffer) => {
          const scripts = bytes.toString('latin1').match(/EVALSHA/g) ?? [];
          if (slow) clock.advance(scripts.length * 0.6 * ENGINE_TIMEOUT);
          far.write(bytes);
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.after(() => server.close());
      const { port } = server.address() as AddressInfo;
      const a = await connected('a', { at: { port }, clock });
      await a.beat(record('a'));
      slow = true;
      const owned = Array.from({ length: 1000 }, (_, i) => ({ id: `slow-${i}`, epoch: 1 }));
      assert.deepEqual(await a.claim('a', owned), []);
      assert.equal((await a.ownerOf('slow-999'))?.node, 'a');
    });

    it('leaves out what ends before its step', async () => {
      const a = await connected('a');
      await a.beat(record('a'));
      const live = new Set(Array.from({ length: 300 }, (_, i) => `step-${i}`));
      const owned = function* (): Iterable<{ id: string; epoch: number }> {
        for (const id of live) yield { id, epoch: 1 };
      };
      const claimed = a.claim('a', owned());
      live.delete('step-250');
      await Promise.all([claimed, a.release('step-250', 'a', 1, 0)]);
      assert.equal(await a.ownerOf('step-250'), undefined);
      assert.equal((await a.ownerOf('step-299'))?.node, 'a');
    });

    it('keeps a record for a minute', async () => {
      const a = await connected('a');
      await a.beat(record('a'));
      await a.place('id', ['a']);
      const key = `kmp-rtmp:{${name}}:owner:id`;
      await redis.ask('PEXPIRE', key, '1000');
      await a.claim('a', [{ id: 'id', epoch: 0 }]);
      const left = Number(await redis.ask('PTTL', key));
      assert.ok(left > 50_000 && left <= 60_000, `${left} ms`);
    });
  });

  it('forgets an owner that releases an id, at once or later', async () => {
    const a = await connected('a');
    for (const node of ['a', 'b']) await a.beat(record(node));
    const first = await a.place('id', ['a']);
    await a.release('id', 'b', 0, 0);
    await a.release('id', 'a', first.epoch - 1, 0);
    assert.equal((await a.ownerOf('id'))?.node, 'a', 'neither another node nor an older owner can release it');
    await a.release('id', 'a', first.epoch, 0);
    assert.equal(await a.ownerOf('id'), undefined);
    const second = await a.place('id', ['b']);
    assert.ok(second.epoch > first.epoch);
    await a.release('id', 'b', second.epoch, 5000);
    assert.equal((await a.place('id', ['a'])).node, 'b', 'a stream that begins again soon stays where it was');
  });

  it('gives no epoch twice, even if all data is lost', async () => {
    const a = await connected('a');
    await a.beat(record('a'));
    const before = await a.place('id', ['a']);
    await redis.ask('FLUSHALL');
    await a.beat(record('a'));
    assert.ok((await a.place('id', ['a'])).epoch > before.epoch);
  });

  it('runs its scripts again after the server forgot them', async () => {
    const a = await connected('a');
    await a.beat(record('a'));
    await redis.ask('SCRIPT', 'FLUSH');
    assert.equal((await a.place('id', ['a'])).node, 'a');
    assert.equal(a.up, true);
  });

  it('is not disturbed by records of another form', async () => {
    const a = await connected('a');
    await redis.ask('HSET', `kmp-rtmp:{${name}}:nodes`, 'x', 'not json', 'y', '{"kmp":1}', 'a b', '{}', 'z', 'null');
    await redis.ask('HSET', `kmp-rtmp:{${name}}:state`, 'x', 'nonsense', 'y', '1 0 0', 'z', '99999999999999999999 0 0');
    const { nodes } = await a.beat(record('a'));
    assert.deepEqual(
      nodes.map((node) => node.name),
      ['a'],
    );
    await redis.ask('SET', `kmp-rtmp:{${name}}:owner:odd`, 'nonsense');
    assert.equal((await a.place('odd', ['a'])).node, 'a');
  });

  it('gives up an engine that does not answer in time, and connects again', async () => {
    const own = await startRedis();
    const log = new LogLines();
    const a = await connected('a', { at: own, engineTimeout: 200, log });
    const ups: boolean[] = [];
    a.onUp = (up) => ups.push(up);
    own.pause();
    await assert.rejects(a.place('id', ['a']), /127\.0\.0\.1:\d+ does not answer in 200 ms/);
    assert.equal(a.up, false);
    await assert.rejects(a.place('id', ['a']), { code: 'fleet_engine_unavailable' });
    own.resume();
    await eventually(() => a.up, 'the engine again');
    assert.deepEqual(ups.slice(0, 1), [false]);
    assert.equal(ups.at(-1), true);
    await own.kill();
    await eventually(() => !a.up, 'the end of the connection');
    await own.restart();
    await eventually(() => a.up, 'the engine after its restart');
    assert.match(log.text, /error fleet: the engine cannot be used/);
    await own.stop();
  });

  it('shows the beginning of a problem only: another program may answer', async () => {
    const other = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write(`-${'E'.repeat(100_000)}\r\n`));
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = { host: '127.0.0.1', port: (other.address() as AddressInfo).port };
    const log = new LogLines();
    const engine = new RedisEngine(
      {
        ...{ name: 'other', node: { name: 'a' }, nodeTimeout: 60_000, engineTimeout: ENGINE_TIMEOUT },
        engine: {
          ...{ addresses: [address], tls: false, user: undefined, password: 'secret', database: 0 },
          ...{ ca: undefined, sentinel: undefined },
        },
      },
      { clock: systemClock, log },
    );
    engines.push(engine);
    engine.start();
    await eventually(() => /EEEE/.test(engine.problem), 'the problem');
    assert.ok(engine.problem.length < 400, `${engine.problem.length} characters`);
    other.close();
  });

  it('is down while a master refuses writes, because it has too few replicas', async () => {
    const own = await startRedis();
    const a = await connected('a', { at: own });
    await a.beat(record('a'));
    await a.place('id', ['a']);
    await own.ask('CONFIG', 'SET', 'min-replicas-to-write', '1');
    await assert.rejects(a.place('id', ['a']), /NOREPLICAS/);
    assert.equal(a.up, false);
    assert.match(a.problem, /NOREPLICAS/);
    await assert.rejects(a.beat(record('a')), { code: 'fleet_engine_unavailable' });
    await own.ask('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await eventually(() => a.up, 'a master that takes writes');
    await own.stop();
  });

  it('needs the right password, and never logs it', async () => {
    const password = 'a-secret-password';
    const own = await startRedis({ password });
    const log = new LogLines();
    const a = await connected('a', { at: own, password, log });
    await a.beat(record('a'));
    await own.ask('CONFIG', 'SET', 'requirepass', 'another');
    const b = new RedisEngine(
      {
        ...{ name, node: { name: 'b' }, nodeTimeout: 60_000, engineTimeout: ENGINE_TIMEOUT },
        engine: {
          addresses: [{ host: '127.0.0.1', port: own.port }],
          ...{ tls: false, user: undefined, password, database: 0, ca: undefined, sentinel: undefined },
        },
      },
      { clock: systemClock, log },
    );
    engines.push(b);
    b.start();
    await eventually(() => /WRONGPASS/.test(b.problem), 'the refusal');
    assert.ok(!log.text.includes(password));
    await own.stop();
  });

  it('speaks TLS with a server whose certificate is signed by the given one, and with no other', async () => {
    const files = ['key-file', 'server.key', 'cert-file', 'server.pem', 'ca-cert-file', 'ca.pem'];
    const tls = files.map((name, i) => (i % 2 === 0 ? `--tls-${name}` : resolve('spec/fixtures/tls', name)));
    const port = await freePort();
    const own = await startRedis({ args: ['--tls-port', String(port), '--tls-auth-clients', 'no', ...tls] });
    const start = (host: string, trusted: string | undefined): RedisEngine => {
      const engine = new RedisEngine(
        {
          ...{ name: 'tls', node: { name: 'a' }, nodeTimeout: 60_000, engineTimeout: ENGINE_TIMEOUT },
          engine: {
            addresses: [{ host, port }],
            ...{ tls: true, user: undefined, password: undefined, database: 0, ca: trusted, sentinel: undefined },
          },
        },
        { clock: systemClock, log: new LogLines() },
      );
      engines.push(engine);
      engine.start();
      return engine;
    };
    for (const host of ['127.0.0.1', 'localhost']) {
      const engine = start(host, ca.toString());
      await eventually(() => engine.up, `TLS with ${host}`);
      assert.equal((await engine.beat(record('a'))).nodes.length, 1);
    }
    const stranger = start('127.0.0.1', undefined);
    await eventually(() => /certificate/.test(stranger.problem), 'the refusal');
    assert.equal(stranger.up, false);
    await own.stop();
  });

  it('finds the master through Sentinels, also after a failover', async () => {
    const master = await startRedis();
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    const sentinel = await startRedis({ watches: master.port });
    const log = new LogLines();
    const engine = new RedisEngine(
      {
        ...{ name: 'sentinels', node: { name: 'a' }, nodeTimeout: 60_000, engineTimeout: ENGINE_TIMEOUT },
        engine: {
          // Nobody listens on the first one.
          addresses: [1, sentinel.port].map((port) => ({ host: '127.0.0.1', port })),
          ...{ tls: false, user: undefined, password: undefined, database: 0, ca: undefined },
          sentinel: { master: 'spec', password: undefined },
        },
      },
      { clock: systemClock, log },
    );
    engines.push(engine);
    engine.start();
    await eventually(() => engine.up, 'the master');
    await engine.beat(record('a'));
    const before = await engine.place('id', ['a']);
    await until(
      'the replica',
      () => replica.ask('GET', 'kmp-rtmp:{sentinels}:owner:id'),
      (answer) => answer === `${before.epoch} a`,
    );
    await until(
      'the replica in the view of the Sentinel',
      () => sentinel.ask('SENTINEL', 'CKQUORUM', 'spec'),
      (answer) => String(answer).startsWith('OK'),
    );
    await until(
      'the failover',
      async () => {
        const [, port] = (await sentinel.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'spec')) as string[];
        // It may have to wait for the view of the Sentinel, and may be given up.
        if (port !== String(replica.port)) await sentinel.ask('SENTINEL', 'FAILOVER', 'spec').catch(() => {});
        return port;
      },
      (port) => port === String(replica.port),
    );
    await until(
      'the new master',
      async () => {
        if (!engine.up) return undefined;
        await engine.beat(record('a'));
        return engine.ownerOf('id');
      },
      () => log.text.includes(`127.0.0.1:${replica.port} is in use`),
    ).then((owner) => assert.deepEqual(owner, { id: 'id', node: 'a', epoch: before.epoch }));
    await Promise.all([sentinel.stop(), master.stop(), replica.stop()]);
  });

  it('says what is wrong if no Sentinel knows the master', async () => {
    const sentinel = await startRedis({ watches: redis.port });
    const engine = new RedisEngine(
      {
        ...{ name: 'x', node: { name: 'a' }, nodeTimeout: 60_000, engineTimeout: ENGINE_TIMEOUT },
        engine: {
          addresses: [{ host: '127.0.0.1', port: sentinel.port }],
          ...{ tls: false, user: undefined, password: undefined, database: 0, ca: undefined },
          sentinel: { master: 'other', password: undefined },
        },
      },
      { clock: systemClock, log: new LogLines() },
    );
    engines.push(engine);
    engine.start();
    await eventually(() => /does not know the master "other"/.test(engine.problem), 'the problem');
    await sentinel.stop();
  });
});
