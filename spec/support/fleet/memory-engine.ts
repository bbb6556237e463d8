import { EngineUnavailable, type FleetEngine, type NodeList, type Placed } from '../../../lib/fleet/engine/engine.js';
import type { NodeRecord, OwnerRecord } from '../../../lib/fleet/node-record.js';
import { chooseOwner } from '../../../lib/placement/choose.js';
import type { Clock } from '../../../lib/time/clock.js';

const OWNER_LIFE = 60_000;

/** The records of a fleet in memory, in place of a Redis server: for specs that set the time. */
export class MemoryRecords {
  readonly nodes = new Map<string, NodeRecord>();
  readonly owners = new Map<string, { readonly node: string; readonly epoch: number; readonly until: number }>();
  readonly engines: MemoryEngine[] = [];
  /** The names of calls, in their order. */
  readonly calls: string[] = [];
  lastEpoch = 0;

  constructor(
    readonly clock: Clock,
    readonly nodeTimeout: number,
  ) {}

  engine(node: string): MemoryEngine {
    const engine = new MemoryEngine(this, node);
    this.engines.push(engine);
    return engine;
  }

  /** Like a server that restarts without its data. */
  forget(): void {
    this.nodes.clear();
    this.owners.clear();
  }

  isAlive({ seenAt }: NodeRecord): boolean {
    return this.clock.wall() - seenAt <= this.nodeTimeout;
  }

  ownerOf(id: string): OwnerRecord | undefined {
    const owner = this.owners.get(id);
    if (owner === undefined || owner.until <= this.clock.now()) return undefined;
    return { id, node: owner.node, epoch: owner.epoch };
  }

  own(id: string, node: string, epoch: number, previous?: string): void {
    this.lastEpoch = Math.max(this.lastEpoch, epoch);
    this.owners.set(id, { node, epoch, until: this.clock.now() + OWNER_LIFE });
    for (const engine of this.engines) {
      if (engine.up && (engine.node === node || engine.node === previous)) engine.onOwner?.({ id, node, epoch });
    }
  }

  nextEpoch(): number {
    return Math.max(this.lastEpoch + 1, this.clock.wall());
  }
}

/** One node's connection to the records. The spec connects and cuts it. */
export class MemoryEngine implements FleetEngine {
  up = false;
  problem = 'it is not connected yet';
  onUp: FleetEngine['onUp'];
  onNodes: FleetEngine['onNodes'];
  onOwner: FleetEngine['onOwner'];

  constructor(
    private readonly records: MemoryRecords,
    readonly node: string,
  ) {}

  start(): void {}

  connect(): void {
    this.up = true;
    this.onUp?.(true);
  }

  cut(problem = 'cut by the spec'): void {
    this.up = false;
    this.problem = problem;
    this.onUp?.(false);
  }

  beat(self: NodeRecord): Promise<NodeList> {
    return this.call('beat', () => {
      const before = this.records.nodes.get(self.name);
      this.records.nodes.set(self.name, { ...self, seenAt: this.records.clock.wall() });
      return {
        nodes: [...this.records.nodes.values()],
        now: this.records.clock.wall(),
        ...(before === undefined ? {} : { startedBefore: before.started }),
      };
    });
  }

  place(id: string, order: readonly string[], exclude?: string): Promise<Placed> {
    return this.call(`place ${id}`, () => {
      const { records } = this;
      const owner = records.ownerOf(id);
      const there = owner && records.nodes.get(owner.node);
      if (owner && there && owner.node !== exclude) {
        return { node: owner.node, epoch: owner.epoch, created: false, stale: !records.isAlive(there) };
      }
      const candidates = order.flatMap((name) => records.nodes.get(name) ?? []);
      const chosen = chooseOwner(
        id,
        candidates.map((node) => ({ ...node, alive: records.isAlive(node) })),
        exclude,
      );
      if (chosen === undefined && owner) return { ...owner, created: false, stale: false };
      if (chosen === undefined) throw new EngineUnavailable('no node is alive');
      const epoch = records.nextEpoch();
      records.own(id, chosen, epoch, owner?.node);
      return { node: chosen, epoch, created: true, stale: false, ...(owner ? { previous: owner.node } : {}) };
    });
  }

  ownerOf(id: string): Promise<OwnerRecord | undefined> {
    return this.call(`ownerOf ${id}`, () => this.records.ownerOf(id));
  }

  claim(node: string, ids: Iterable<Omit<OwnerRecord, 'node'>>): Promise<readonly OwnerRecord[]> {
    const owned = [...ids];
    if (owned.length === 0) return Promise.resolve([]);
    return this.call(`claim ${owned.map(({ id }) => id).join(',')}`, () =>
      owned.flatMap(({ id, epoch }) => {
        const { records } = this;
        const owner = records.ownerOf(id);
        const there = owner && records.nodes.get(owner.node);
        if (owner && owner.node !== node && owner.epoch >= epoch && there && records.isAlive(there)) return [owner];
        const mine = owner?.node === node ? Math.max(epoch, owner.epoch) : epoch;
        const next = mine === 0 || (owner && owner.node !== node && owner.epoch >= epoch) ? records.nextEpoch() : mine;
        records.own(id, node, next, owner?.node);
        return next === epoch ? [] : [{ id, node, epoch: next }];
      }),
    );
  }

  release(id: string, node: string, epoch: number, stay: number): Promise<void> {
    return this.call(`release ${id} ${stay}`, () => {
      const owner = this.records.ownerOf(id);
      if (owner?.node !== node || (epoch > 0 && owner.epoch > epoch)) return;
      const { epoch: recorded } = owner;
      this.records.owners.set(id, { node, epoch: recorded, until: this.records.clock.now() + stay });
    });
  }

  leave(node: string): Promise<void> {
    return this.call(`leave ${node}`, () => void this.records.nodes.delete(node));
  }

  stop(): Promise<void> {
    this.up = false;
    return Promise.resolve();
  }

  private async call<T>(name: string, work: () => T): Promise<T> {
    await Promise.resolve();
    if (!this.up) throw new EngineUnavailable(this.problem);
    this.records.calls.push(name);
    return work();
  }
}
