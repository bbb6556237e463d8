import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { FleetConfig } from '../../lib/config/fleet/fleet.js';
import { Fleet } from '../../lib/fleet/fleet.js';
import type { NodeRecord, OwnerRecord } from '../../lib/fleet/node-record.js';
import type { IdsOfPeers } from '../../lib/fleet/peer-ids.js';
import type { ProbeKind } from '../../lib/fleet/probe.js';
import { rendezvousOrder } from '../../lib/placement/rendezvous.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { LogLines } from '../support/service/log-lines.js';
import { MemoryRecords, type MemoryEngine } from '../support/fleet/memory-engine.js';

const NODE_TIMEOUT = 10_000;

function configOf(node: string, more: Partial<FleetConfig> = {}): FleetConfig {
  const at = Number(node.slice(1));
  return {
    engine: {
      addresses: [{ host: '192.0.2.5', port: 6379 }],
      ...{ tls: false, user: undefined, password: undefined, database: 0, ca: undefined, sentinel: undefined },
    },
    name: 'spec',
    node: { name: node, kmp: { host: `192.0.2.${at}`, port: 8005 }, http: { host: `192.0.2.${at}`, port: 8001 } },
    nodeTimeout: NODE_TIMEOUT,
    ...{
      engineTimeout: 500,
      peerTimeout: 1000,
      peerTokens: ['0123456789abcdef'],
      peerCa: undefined,
      misplaced: 'relay',
      drainRate: 10,
    },
    ...more,
  };
}

/** A node of the fleet of a spec. */
interface Node {
  readonly fleet: Fleet;
  readonly engine: MemoryEngine;
  readonly moved: OwnerRecord[];
  readonly log: LogLines;
  shown: readonly NodeRecord[];
}

/** Lets promises settle. Nothing here waits for input or output. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

describe('a node of a fleet', () => {
  let clock = new FakeClock();
  let records = new MemoryRecords(clock, NODE_TIMEOUT);
  const nodes = new Map<string, Node>();
  /** Names of nodes that do not accept connections, and that accept but do not respond. */
  const dead = new Set<string>();
  const hanging = new Set<string>();
  const probed: string[] = [];

  afterEach(async () => {
    for (const { fleet } of nodes.values()) await fleet.stop();
    nodes.clear();
    for (const set of [dead, hanging]) set.clear();
    probed.length = 0;
    clock = new FakeClock();
    records = new MemoryRecords(clock, NODE_TIMEOUT);
  });

  function connect({ host }: { readonly host: string }, kind: ProbeKind): Promise<boolean> {
    const name = `n${host.slice('192.0.2.'.length)}`;
    probed.push(`${name} ${kind}`);
    return Promise.resolve(!dead.has(name) && (kind === 'accepts' || !hanging.has(name)));
  }

  async function start(
    name: string,
    { connected = true, ids }: { connected?: boolean; ids?: IdsOfPeers } = {},
  ): Promise<Node> {
    const log = new LogLines();
    const engine = records.engine(name);
    const moved: OwnerRecord[] = [];
    const fleet = new Fleet(configOf(name), {
      ...{ clock, log, connect },
      createEngine: () => engine,
      onMoved: (owners) => moved.push(...owners),
      onNodes: (shown) => (node.shown = shown),
      ...(ids === undefined ? {} : { idsOfPeers: ids }),
    });
    const node: Node = { fleet, engine, moved, log, shown: [] };
    nodes.set(name, node);
    fleet.start();
    if (connected) engine.connect();
    await settle();
    return node;
  }

  /** Three nodes that know each other. */
  async function three(): Promise<readonly [Node, Node, Node]> {
    const all = [await start('n1'), await start('n2'), await start('n3')] as const;
    await pass(1000);
    return all;
  }

  /** Lets time pass in the steps of heartbeats. */
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      clock.advance(Math.min(250, left));
      await settle();
    }
  }

  /** The engine is away, and for longer than a placement waits for it. */
  async function cut(...lost: readonly Node[]): Promise<void> {
    for (const { engine } of lost) engine.cut();
    await pass(750);
  }

  /** An id whose owner is chosen in this order. */
  function idFor(...order: string[]): string {
    for (let i = 0; ; i++) {
      const id = `id-${i}`;
      if (rendezvousOrder(id, ['n1', 'n2', 'n3']).slice(0, order.length).join() === order.join()) return id;
    }
  }

  it('gives the same owner as every other node, with its address and an epoch', async () => {
    const [a, b] = await three();
    const id = idFor('n3');
    const placed = await a.fleet.place(id, 'publish');
    assert.equal(placed.node, 'n3');
    assert.deepEqual(placed.kmp, { host: '192.0.2.3', port: 8005 });
    assert.ok(placed.epoch > 0);
    assert.deepEqual(await b.fleet.place(id, 'publish'), placed);
    assert.deepEqual(await b.fleet.place(id, 'republish'), placed);
    assert.deepEqual(a.fleet.counters, { placements: 1, fallbacks: 0, takeovers: 0, fenced: 0 });
  });

  it('shows all nodes, and says when they change', async () => {
    const [a, b] = await three();
    assert.deepEqual(
      a.fleet.nodes.map(({ name }) => name),
      ['n1', 'n2', 'n3'],
    );
    assert.deepEqual(
      a.shown.map(({ name }) => name),
      ['n1', 'n2', 'n3'],
    );
    b.engine.cut();
    await pass(NODE_TIMEOUT + 1000);
    assert.deepEqual(
      a.shown.map(({ name }) => name),
      ['n1', 'n3'],
    );
    assert.deepEqual(
      a.fleet.nodes.map((node) => [node.name, a.fleet.isAlive(node)]),
      [
        ['n1', true],
        ['n2', false],
        ['n3', true],
      ],
    );
  });

  describe('whose owner does not answer', () => {
    it('gives the id to another node at once, and says so', async () => {
      const [a, b, c] = await three();
      const id = idFor('n2', 'n3');
      const before = await a.fleet.place(id, 'publish');
      b.fleet.began(id, before.epoch);
      dead.add('n2');
      const after = await a.fleet.place(id, 'republish');
      assert.equal(after.node, 'n3');
      assert.ok(after.epoch > before.epoch);
      assert.equal(a.fleet.counters.takeovers, 1);
      assert.match(a.log.text, /warn fleet: n3 takes over "id-\d+" from n2, which does not answer/);
      // The other track of the upstream asks another controller.
      assert.deepEqual(await c.fleet.place(id, 'republish'), after);
      assert.equal(c.fleet.counters.takeovers, 0);
      assert.deepEqual(b.moved, [{ id, node: 'n3', epoch: after.epoch }], 'the owner before gets it');
      assert.equal(b.fleet.counters.fenced, 1);
    });

    it('keeps an owner that accepts connections', async () => {
      const [a] = await three();
      const id = idFor('n2');
      const before = await a.fleet.place(id, 'publish');
      assert.deepEqual(await a.fleet.place(id, 'republish'), before);
      assert.ok(probed.includes('n2 accepts'));
    });

    it('does not probe itself', async () => {
      const [a] = await three();
      const id = idFor('n1');
      await a.fleet.place(id, 'publish');
      await a.fleet.place(id, 'republish');
      assert.deepEqual(probed, []);
    });

    it('places no new id on a node that has just died', async () => {
      const [a] = await three();
      dead.add('n2').add('n3');
      assert.equal((await a.fleet.place(idFor('n2', 'n3'), 'publish')).node, 'n1');
      assert.equal(a.fleet.counters.takeovers, 0, 'nobody had it');
    });

    it('asks once for many senders', async () => {
      const [a] = await three();
      const ids = Array.from({ length: 50 }, (_, i) => `many-${i}`);
      await Promise.all(ids.map((id) => a.fleet.place(id, 'publish')));
      dead.add('n2');
      clock.advance(600);
      probed.length = 0;
      await Promise.all(ids.map((id) => a.fleet.place(id, 'republish')));
      assert.equal(probed.filter((one) => one === 'n2 accepts').length, 2);
    });
  });

  describe('whose owner sends no heartbeats', () => {
    it('keeps it if it has only lost the engine', async () => {
      const [a, b] = await three();
      const id = idFor('n2');
      const before = await a.fleet.place(id, 'publish');
      b.engine.cut();
      await pass(NODE_TIMEOUT + 1000);
      assert.deepEqual(await a.fleet.place(id, 'publish'), before);
      assert.ok(probed.includes('n2 responds'));
    });

    it('replaces it if it hangs', async () => {
      const [a, b] = await three();
      const id = idFor('n2', 'n1');
      await a.fleet.place(id, 'publish');
      b.engine.cut();
      hanging.add('n2');
      await pass(NODE_TIMEOUT + 1000);
      assert.equal((await a.fleet.place(id, 'publish')).node, 'n1');
      assert.equal(a.fleet.counters.takeovers, 1);
    });
  });

  describe('without the engine', () => {
    it('gives the owner that it knows', async () => {
      const [a] = await three();
      const id = idFor('n2');
      const before = await a.fleet.place(id, 'publish');
      await cut(a);
      assert.deepEqual(await a.fleet.place(id, 'publish'), before);
      assert.deepEqual(await a.fleet.place(id, 'republish'), before);
      assert.equal(a.fleet.counters.fallbacks, 2);
      assert.equal(a.fleet.engineUp, false);
      assert.equal(a.fleet.engineProblem, 'cut by the spec');
    });

    it('keeps ids that are live here', async () => {
      const [a] = await three();
      a.fleet.began('mine', 77);
      await cut(a);
      assert.deepEqual(await a.fleet.place('mine', 'republish'), {
        node: 'n1',
        kmp: { host: '192.0.2.1', port: 8005 },
        epoch: 77,
      });
    });

    it('gives a new id the owner that all nodes compute, among those that answer', async () => {
      const all = await three();
      await cut(...all);
      await pass(60_000);
      for (let i = 0; i < 20; i++) {
        const owners = await Promise.all(all.map(({ fleet }) => fleet.place(`new-${i}`, 'publish')));
        assert.deepEqual(new Set(owners.map(({ node }) => node)).size, 1);
        assert.equal(owners[0]?.epoch, 0);
      }
      dead.add('n3');
      clock.advance(1000);
      assert.equal((await all[0].fleet.place(idFor('n3', 'n2'), 'publish')).node, 'n2');
      const known = idFor('n3', 'n1');
      assert.equal((await all[1].fleet.place(known, 'republish')).node, 'n1');
    });

    it('asks the other nodes for ids that it does not know', async () => {
      const id = idFor('n1');
      let asked = 0;
      const ids: IdsOfPeers = () => Promise.resolve(new Map([['n3', [id, String(++asked)]]]));
      const a = await start('n1', { ids });
      for (const name of ['n2', 'n3']) await start(name);
      await pass(1000);
      await cut(a);
      assert.deepEqual(await a.fleet.place(id, 'publish'), {
        node: 'n3',
        kmp: { host: '192.0.2.3', port: 8005 },
        epoch: 0,
      });
      await a.fleet.place('another', 'publish');
      assert.equal(asked, 1, 'the answer is used for a while');
      await pass(8000);
      assert.ok(asked > 1 && asked < 5, `asked ${asked} times in 8 s`);
    });

    it('waits for the first contact, because it knows no other node before', async () => {
      const [b] = await Promise.all([start('n2'), start('n3')]);
      await pass(1000);
      const id = idFor('n3');
      const placed = await b.fleet.place(id, 'publish');
      const a = await start('n1', { connected: false });
      const early = a.fleet.place(id, 'publish');
      await pass(1750);
      a.engine.connect();
      await settle();
      assert.deepEqual(await early, placed);
      assert.equal(a.fleet.counters.fallbacks, 0);
    });

    it('works alone from the beginning', async () => {
      const a = await start('n1', { connected: false });
      await pass(2250);
      assert.deepEqual(await a.fleet.place('any', 'publish'), {
        node: 'n1',
        kmp: { host: '192.0.2.1', port: 8005 },
        epoch: 0,
      });
    });
  });

  describe('when the engine is back', () => {
    it('claims its ids before it places anything', async () => {
      const [a] = await three();
      a.fleet.began('live', 0);
      a.engine.cut();
      const placed = a.fleet.place('x', 'publish');
      await settle();
      records.calls.length = 0;
      a.engine.connect();
      const next = a.fleet.place(idFor('n2'), 'publish');
      await Promise.all([placed, next]);
      const order = records.calls.filter((call) => /^(claim|place)/.test(call));
      assert.deepEqual(order, ['claim live', 'place x', `place ${idFor('n2')}`]);
      assert.equal(a.fleet.counters.fallbacks, 0, 'both have waited for it');
      assert.equal(records.ownerOf('live')?.node, 'n1');
    });

    it('gives up ids that another node owns by now', async () => {
      const [a, b] = await three();
      const id = idFor('n1', 'n2');
      const first = await a.fleet.place(id, 'publish');
      a.fleet.began(id, first.epoch);
      await pass(1000);
      await cut(a);
      dead.add('n1');
      const second = await b.fleet.place(id, 'republish');
      assert.equal(second.node, 'n2');
      assert.deepEqual(a.moved, [], 'it cannot know yet');
      a.engine.connect();
      await settle();
      assert.deepEqual(a.moved, [{ id, node: 'n2', epoch: second.epoch }]);
    });

    it('has one owner for an id that two nodes published meanwhile', async () => {
      const [a, b] = await three();
      for (const node of [a, b]) node.engine.cut();
      for (const node of [a, b]) node.fleet.began('both', 0);
      await pass(5000);
      a.engine.connect();
      await settle();
      b.engine.connect();
      await settle();
      assert.deepEqual([a.moved.length, b.moved.map(({ node }) => node)], [0, ['n1']]);
    });

    it('records nothing new for two seconds after a long outage, until the others have claimed their ids', async () => {
      const [a, , c] = await three();
      const id = idFor('n2');
      c.fleet.began(id, 0);
      await pass(100);
      for (const { engine } of nodes.values()) engine.cut();
      await pass(70_000);
      assert.equal(records.ownerOf(id), undefined, 'its record has expired');
      a.engine.connect();
      await settle();
      const early = await a.fleet.place(id, 'publish');
      assert.equal(records.ownerOf(id), undefined);
      assert.equal(early.epoch, 0);
      c.engine.connect();
      await settle();
      assert.equal((await a.fleet.place(id, 'publish')).node, 'n3', 'a claim counts at once');
      await pass(2500);
      assert.ok((await a.fleet.place('new', 'publish')).epoch > 0);
    });

    it('waits in the same way if the engine has lost its data', async () => {
      const [a, , c] = await three();
      const id = idFor('n2');
      c.fleet.began(id, 0);
      await pass(100);
      for (const { engine } of nodes.values()) engine.cut();
      records.forget();
      a.engine.connect();
      await settle();
      await a.fleet.place(id, 'publish');
      c.engine.connect();
      await settle();
      assert.equal(records.ownerOf(id)?.node, 'n3');
      assert.deepEqual(c.moved, []);
    });
  });

  it('claims ids that come without a placement, and keeps their records alive', async () => {
    const [a] = await three();
    a.fleet.began('foreign', undefined);
    await pass(250);
    assert.equal(records.ownerOf('foreign')?.node, 'n1');
    await pass(120_000);
    assert.equal(records.ownerOf('foreign')?.node, 'n1');
    const claims = records.calls.filter((call) => call === 'claim foreign').length;
    assert.ok(claims <= 8, `${claims} claims in two minutes`);
  });

  it('gives up an id without a placement if another node has it', async () => {
    const [a, b] = await three();
    a.fleet.began('foreign', undefined);
    await pass(250);
    b.fleet.began('foreign', undefined);
    await pass(250);
    assert.deepEqual(a.moved, []);
    assert.deepEqual(
      b.moved.map(({ node }) => node),
      ['n1'],
    );
  });

  it('keeps the record of a stream that ended for a few seconds, and of one that failed until it expires', async () => {
    const [a] = await three();
    for (const [id, reason] of [
      ['ended', 'done'],
      ['dropped', 'api_delete'],
      ['failed', 'connect_rejected'],
      ['moved', 'fleet_moved'],
    ] as const) {
      a.fleet.began(id, 0);
      await pass(250);
      a.fleet.ended(id, 0, reason);
    }
    await pass(4000);
    for (const id of ['ended', 'dropped', 'failed', 'moved']) assert.equal(records.ownerOf(id)?.node, 'n1', id);
    await pass(4000);
    const left = ['ended', 'dropped', 'failed', 'moved'].filter((id) => records.ownerOf(id) !== undefined);
    assert.deepEqual(left, ['failed', 'moved']);
  });

  it('gets no new ids while it drains, and gives the others away one by one', async () => {
    const [a, b] = await three();
    const [id, other] = [idFor('n1', 'n2'), idFor('n1', 'n3')];
    const first = await b.fleet.place(id, 'publish');
    a.fleet.began(id, first.epoch);
    a.fleet.setDraining(true);
    await settle();
    assert.deepEqual(
      b.shown.filter(({ draining }) => draining),
      [],
      'the change is on its way',
    );
    await pass(1000);
    assert.deepEqual(
      b.shown.filter(({ draining }) => draining).map(({ name }) => name),
      ['n1'],
    );
    assert.equal((await b.fleet.place(other, 'publish')).node, 'n3');
    assert.equal((await b.fleet.place(id, 'republish')).node, 'n1', 'the other track is still there');
    await a.fleet.release(id);
    const second = await b.fleet.place(id, 'republish');
    assert.equal(second.node, 'n2');
    assert.ok(second.epoch > first.epoch);
    a.fleet.ended(id, first.epoch, 'fleet_moved');
    assert.equal(records.ownerOf(id)?.node, 'n2');
  });

  it('knows the owners of the ids that it has given away, as long as the engine is there', async () => {
    const [a] = await three();
    const [mine, other] = [idFor('n1', 'n2'), idFor('n2', 'n3')];
    await a.fleet.place(other, 'publish');
    a.fleet.began(mine, (await a.fleet.place(mine, 'publish')).epoch);
    await a.fleet.release(mine);
    assert.deepEqual([...(await a.fleet.ownersOf([mine, other, 'none']))], [[other, 'n2']]);
    await cut(a);
    assert.deepEqual([...(await a.fleet.ownersOf([mine, other]))], []);
  });

  it('counts ids that were placed here as load until their senders are there', async () => {
    const [a, b] = await three();
    const id = idFor('n1');
    const { epoch } = await b.fleet.place(id, 'publish');
    await pass(1000);
    assert.equal(records.nodes.get('n1')?.load, 1);
    a.fleet.began(id, epoch);
    await pass(1000);
    assert.equal(records.nodes.get('n1')?.load, 1);
    await b.fleet.place(idFor('n1', 'n3'), 'publish');
    await pass(11_000);
    assert.equal(records.nodes.get('n1')?.load, 1, 'a sender that does not come within ten seconds does not count');
    a.fleet.ended(id, epoch, 'done');
    await pass(1000);
    assert.equal(records.nodes.get('n1')?.load, 0);
  });

  it('says that another process has its name', async () => {
    const a = await start('n1');
    await pass(1000);
    assert.equal(a.log.of('error').length, 0);
    const twin = records.engine('n1');
    twin.connect();
    for (let i = 0; i < 5; i++) {
      await twin.beat({ ...a.fleet.self, started: 1 });
      await pass(1000);
    }
    assert.deepEqual(
      a.log.of('error').map(({ message }) => message),
      ['fleet: another process is the node "n1", too; give each node a name of its own'],
    );
  });

  it('is no place for senders from when its KMP server closes, whatever is recorded', async () => {
    const [a] = await three();
    const id = idFor('n1', 'n2');
    const before = await a.fleet.place(id, 'publish');
    a.fleet.began(id, before.epoch);
    a.fleet.stopTaking();
    const after = await a.fleet.place(id, 'republish');
    assert.equal(after.node, 'n2');
    assert.ok(after.epoch > before.epoch);
    assert.deepEqual(await a.fleet.place(id, 'publish'), after);
  });

  it('is no place for senders from then on without the engine, either', async () => {
    const [a] = await three();
    const [live, known] = [idFor('n1', 'n2'), idFor('n1', 'n3')];
    a.fleet.began(live, (await a.fleet.place(live, 'publish')).epoch);
    await a.fleet.place(known, 'publish');
    await cut(a);
    a.fleet.stopTaking();
    assert.equal((await a.fleet.place(live, 'republish')).node, 'n2');
    assert.equal((await a.fleet.place(known, 'republish')).node, 'n3');
    for (const name of ['n2', 'n3']) dead.add(name);
    await pass(1000);
    assert.equal((await a.fleet.place(known, 'republish')).node, 'n1', 'there is no other node');
  });

  it('joins until it has reached the engine, or for 10 s, and never again', async () => {
    const a = await start('n1', { connected: false });
    assert.equal(a.fleet.isJoining, true);
    a.engine.connect();
    await settle();
    assert.equal(a.fleet.isJoining, false);
    await cut(a);
    assert.equal(a.fleet.isJoining, false);
    const b = await start('n2', { connected: false });
    clock.advance(9999);
    assert.equal(b.fleet.isJoining, true);
    clock.advance(1);
    assert.equal(b.fleet.isJoining, false);
  });

  it('leaves when it ends', async () => {
    const [a, b] = await three();
    const left = b.fleet.stop();
    // The next heartbeat is due before the engine has answered.
    clock.advance(1000);
    await left;
    await pass(1000);
    assert.deepEqual(
      a.fleet.nodes.map(({ name }) => name),
      ['n1', 'n3'],
    );
  });

  it('uses other settings after a reload, but keeps its name', async () => {
    const [a] = await three();
    const other = configOf('n9');
    await a.fleet.reload({ ...other, misplaced: 'refuse' });
    await pass(1000);
    assert.deepEqual(records.nodes.get('n1')?.kmp, { host: '192.0.2.9', port: 8005 });
    assert.equal(records.nodes.has('n9'), false);
    assert.match(a.log.text, /warn fleet: another "name", or another name in "node", takes effect after a restart/);
  });
});
