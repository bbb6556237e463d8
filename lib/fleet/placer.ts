import type { Logger } from '../base/logger.js';
import { rendezvousOrder } from '../placement/rendezvous.js';
import { EngineUnavailable, type FleetEngine } from './engine/engine.js';
import type { NodeAddress, NodeRecord } from './node-record.js';
import type { NodeView } from './node-view.js';
import type { OwnerCache } from './owner-cache.js';
import type { Probe, ProbeKind } from './probe.js';

/** Where the senders of an upstream are sent to. */
export interface Placement {
  readonly node: string;
  readonly kmp: NodeAddress;
  /** 0: placed without the engine. */
  readonly epoch: number;
}

/** Why a sender asks: `republish` means that its connection to the owner has broken. */
export type PlaceEvent = 'publish' | 'republish';

/** What has happened since the start. */
export interface PlacementCounters {
  placements: number;
  /** Placements that were made without the engine. */
  fallbacks: number;
  /** Ids that were given to another node because their owner was dead. */
  takeovers: number;
}

export interface PlacerOptions {
  /** Name of this node. */
  readonly node: string;
  readonly view: NodeView;
  readonly probe: Probe;
  readonly cache: OwnerCache;
  readonly log: Logger;
  /** False once the KMP server of this node closes. Then this node counts as dead. */
  readonly takesTracks: () => boolean;
  /** The epoch of an id that is live here. */
  readonly epochHere: (id: string) => number | undefined;
  /** The engine, once it has the live ids of this node; undefined: it is away. */
  readonly engine: () => Promise<FleetEngine | undefined>;
  /** False right after an outage: other nodes may not have claimed their ids, so nothing new is recorded. */
  readonly takesNew: () => boolean;
  /** Asks for the nodes again, because one is not known yet. @throws EngineUnavailable */
  readonly refresh: () => Promise<void>;
  /** The node at which an id is live, as far as the other nodes have said; asked without the engine only. */
  readonly liveAt: (id: string) => Promise<string | undefined>;
}

/** The most owners that are tried for one sender. */
const TRIES = 3;

/** Answers where the senders of an upstream belong. */
export class Placer {
  readonly counters: PlacementCounters = { placements: 0, fallbacks: 0, takeovers: 0 };

  constructor(private readonly options: PlacerOptions) {}

  /** Always has an answer, within a few seconds: without the engine, by what this node knows. */
  async place(id: string, event: PlaceEvent): Promise<Placement> {
    this.counters.placements++;
    try {
      const engine = await this.options.engine();
      const placement = engine && (await this.byEngine(engine, id, event));
      if (placement !== undefined) return placement;
    } catch (error) {
      if (!(error instanceof EngineUnavailable)) throw error;
    }
    this.counters.fallbacks++;
    return this.byView(id);
  }

  /** undefined: the engine must not decide. */
  private async byEngine(engine: FleetEngine, id: string, event: PlaceEvent): Promise<Placement | undefined> {
    const { node: self, view, cache, takesNew } = this.options;
    if (!takesNew() && (await engine.ownerOf(id)) === undefined) return undefined;
    const dead: string[] = [];
    // Owners that were chosen here: their senders have never been sent to them.
    const fresh = new Set<string>();
    let last: Placement | undefined;
    for (let tries = 0; tries < TRIES; tries++) {
      const order = rendezvousOrder(
        id,
        view.names.filter((name) => !dead.includes(name)),
      );
      const { node: owner, epoch, created, stale, previous } = await engine.place(id, order, dead.at(-1));
      if (created && previous !== undefined && !fresh.has(previous)) this.tookOver(id, owner, previous);
      if (created) fresh.add(owner);
      const record = await this.recordOf(owner);
      if (record !== undefined) {
        cache.set({ id, node: owner, epoch });
        last = { node: owner, kmp: record.kmp, epoch };
        const isSure = owner !== self && event === 'publish' && !created && !stale;
        // An excluded node that is the owner nevertheless is the only one.
        if (isSure || dead.includes(owner)) return last;
        if (await this.isThere(record, stale ? 'responds' : 'accepts')) return last;
      }
      dead.push(owner);
    }
    return last;
  }

  /** Whether senders can connect to a node. This one knows it of itself. */
  private async isThere({ name, kmp }: NodeRecord, kind?: ProbeKind): Promise<boolean> {
    const { node: self, probe, takesTracks } = this.options;
    return name === self ? takesTracks() : probe.answers(kmp, kind);
  }

  private tookOver(id: string, owner: string, previous: string): void {
    this.counters.takeovers++;
    this.options.log.warn(`fleet: ${owner} takes over ${JSON.stringify(id)} from ${previous}, which does not answer`);
  }

  private async recordOf(node: string): Promise<NodeRecord | undefined> {
    const { view, refresh } = this.options;
    if (view.get(node) === undefined) await refresh();
    return view.get(node);
  }

  /** Without the engine: the owner that is known, else the first in the order that all nodes compute. */
  private async byView(id: string): Promise<Placement> {
    const { node: self, view, cache, epochHere, liveAt, takesTracks } = this.options;
    const here = view.get(self);
    if (here === undefined) throw new Error('a node knows itself');
    const epoch = epochHere(id);
    if (epoch !== undefined && takesTracks()) return { node: self, kmp: here.kmp, epoch };
    const cached = cache.get(id);
    const known = [await liveAt(id), cached?.node].filter((name) => name !== undefined);
    const free = view.alive.filter(({ draining }) => !draining);
    const order = rendezvousOrder(
      id,
      (free.length > 0 ? free : view.alive).map(({ name }) => name),
    );
    for (const name of [...new Set([...known, ...order])].slice(0, TRIES + known.length)) {
      const record = view.get(name);
      if (record === undefined || !(await this.isThere(record))) continue;
      const owner = { id, node: name, epoch: cached?.node === name ? cached.epoch : 0 };
      cache.set(owner);
      return { node: name, kmp: record.kmp, epoch: owner.epoch };
    }
    return { node: self, kmp: here.kmp, epoch: 0 };
  }
}
