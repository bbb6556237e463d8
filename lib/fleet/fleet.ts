import type { Logger } from '../base/logger.js';
import { version } from '../base/version.js';
import type { FleetConfig } from '../config/fleet/fleet.js';
import type { Clock, Timer } from '../time/clock.js';
import { deadline } from '../time/deadline.js';
import type { CloseReason } from '../upstream/report/close-reason.js';
import type { Ownership } from '../upstream/ownership/ownership.js';
import type { FleetEngine } from './engine/engine.js';
import { RedisEngine } from './engine/redis-engine.js';
import { Heartbeat } from './heartbeat.js';
import { LiveIds } from './live-ids.js';
import type { NodeRecord, OwnerRecord } from './node-record.js';
import { OwnerCache } from './owner-cache.js';
import { PeerIds, type IdsOfPeers } from './peer-ids.js';
import { Placer, type PlaceEvent, type Placement, type PlacementCounters } from './placer.js';
import { Probe, type Connect } from './probe.js';

/** ms between two heartbeats. */
const BEAT_INTERVAL = 1000;
/** ms between two refreshes of the records of live ids, which last a minute. */
const REFRESH_INTERVAL = 20_000;
/** After an outage of this length, ms, records may have expired before their owners are back. */
const LONG_OUTAGE = 30_000;
/** ms after such an outage in which the other nodes come back and claim their ids: they connect once a second. */
const RETURN_TIME = 2000;
/** ms that placements wait for the first contact with the engine. Before it, a node knows no other one. */
const FIRST_CONTACT = 2000;
/** ms after the start in which a node that has not reached the engine yet says that it is not ready. */
const JOIN_TIME = 10_000;
/** ms for which a stream that ends and begins again stays where it was. */
const STAY = 5000;

export interface FleetOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when the nodes that are alive have changed, or one of them begins to drain. */
  readonly onNodes?: (nodes: readonly NodeRecord[]) => void;
  /** These ids are live here, and belong to other nodes by now: they must end at once. */
  readonly onMoved?: (owners: readonly OwnerRecord[]) => void;
  /** Asks the other nodes which ids are live there; used while the engine is away. Default: nobody is asked. */
  readonly idsOfPeers?: IdsOfPeers;
  /** Default: Valkey or Redis. */
  readonly createEngine?: (config: FleetConfig) => FleetEngine;
  /** Default: TCP. */
  readonly connect?: Connect;
}

/** What has happened since the start, for the metrics. */
export interface FleetCounters extends Readonly<PlacementCounters> {
  /** Upstreams that ended here because another node owned them. */
  readonly fenced: number;
}

/**
 * This node of a fleet: it says that it is alive, knows the other nodes, answers where senders belong, and keeps the
 * records of its upstreams. It exists once for each machine, in the primary process. Nothing here is in the path of
 * media: if the engine is slow or away, only placements notice.
 */
export class Fleet implements Ownership {
  private readonly heart: Heartbeat;
  private readonly ids: LiveIds;
  private readonly placer: Placer;
  private readonly cache = new OwnerCache();
  private readonly peers: PeerIds;
  private engine: FleetEngine;
  private fenced = 0;
  /** The engine is up and has the ids of this node. */
  private synced = false;
  /** Since when the engine has been away, monotonic ms; undefined: it is not. */
  private lostAt: number | undefined;
  private hadContact = false;
  /** Monotonic ms. */
  private startedAt = -Infinity;
  /** Placements that wait for the engine. */
  private readonly waiting = new Set<() => void>();
  private holdUntil = 0;
  private timers: Timer[] = [];
  private stopped = false;
  /** False once the KMP server of this node closes. */
  private taking = true;

  constructor(
    private config: FleetConfig,
    private readonly options: FleetOptions,
  ) {
    const { clock, log } = options;
    const { node, nodeTimeout } = config;
    const now = clock.wall();
    const self = { ...node, draining: false, load: 0, started: now, version, seenAt: now };
    this.heart = new Heartbeat(self, nodeTimeout, {
      ...{ clock, log },
      engine: () => this.engine,
      load: () => this.ids.load,
      onLost: () => this.hold(),
      onNodes: (nodes) => options.onNodes?.(nodes),
    });
    this.ids = new LiveIds({
      ...{ node: node.name, clock },
      engine: () => (this.synced ? this.engine : undefined),
      onMoved: (owners) => this.onMoved(owners),
    });
    this.peers = new PeerIds(clock, options.idsOfPeers);
    this.placer = new Placer({
      ...{ node: node.name, view: this.heart.view, cache: this.cache, log },
      probe: new Probe(clock, options.connect),
      epochHere: (id) => this.ids.epochOf(id),
      takesTracks: () => this.taking,
      engine: () => this.readyEngine(),
      takesNew: () => clock.now() >= this.holdUntil,
      refresh: () => this.heart.beat(),
      liveAt: (id) => this.peers.nodeOf(id),
    });
    this.engine = this.createEngine();
  }

  /** This node, as others see it. */
  get self(): NodeRecord {
    return this.heart.self;
  }

  /** All nodes by name, with this one, and with dead ones that are not forgotten yet. */
  get nodes(): readonly NodeRecord[] {
    return this.heart.view.nodes;
  }

  /** True if another node is alive and does not drain. */
  get hasOtherNode(): boolean {
    return this.nodes.some((node) => node.name !== this.self.name && !node.draining && this.isAlive(node));
  }

  /** The ids of all upstreams that are live here. */
  get liveIds(): readonly string[] {
    return this.ids.all;
  }

  isAlive(node: NodeRecord): boolean {
    return this.heart.view.isAlive(node);
  }

  get counters(): FleetCounters {
    return { ...this.placer.counters, fenced: this.fenced };
  }

  get engineUp(): boolean {
    return this.engine.up;
  }

  /** True right after the start, until it has reached the engine: it knows no other node, and would name itself. */
  get isJoining(): boolean {
    return !this.hadContact && this.options.clock.now() - this.startedAt < JOIN_TIME;
  }

  /** Why the engine is not in use; empty if it is. */
  get engineProblem(): string {
    return this.engine.up ? '' : this.engine.problem;
  }

  /** Reports the nodes to {@link FleetOptions.onNodes} before the first heartbeat: this node only. */
  show(): void {
    this.heart.show();
  }

  /** Connects in the background. A node works without the engine from the beginning. */
  start(): void {
    this.lostAt = this.startedAt = this.options.clock.now();
    this.engine.start();
    this.every(Math.min(BEAT_INTERVAL, this.config.nodeTimeout / 4), () => this.onBeat());
    this.every(REFRESH_INTERVAL, () => this.onRefresh());
    this.show();
  }

  /** Uses other settings. Names last until the process ends. */
  async reload(config: FleetConfig): Promise<void> {
    const before = this.config;
    const { name, node } = before;
    if (config.name !== name || config.node.name !== node.name) {
      this.options.log.warn('fleet: another "name", or another name in "node", takes effect after a restart');
    }
    this.config = { ...config, name, node: { ...config.node, name: node.name } };
    this.heart.view.timeout = config.nodeTimeout;
    this.heart.change({ kmp: config.node.kmp, http: config.node.http });
    const engineOf = ({ engine, nodeTimeout, engineTimeout }: FleetConfig): string =>
      JSON.stringify([engine, nodeTimeout, engineTimeout]);
    if (engineOf(before) === engineOf(config)) return this.heart.soon();
    const old = this.engine;
    old.onUp = old.onNodes = old.onOwner = undefined;
    this.onUp(false);
    this.engine = this.createEngine();
    this.engine.start();
    await old.stop();
  }

  /** Where senders of an upstream belong. Always answers, also without the engine. */
  place(id: string, event: PlaceEvent): Promise<Placement> {
    return this.placer.place(id, event);
  }

  /** The owners of these ids, by id, as the engine has them. Without the engine: none. Never rejects. */
  async ownersOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { engine } = this;
    const owners = new Map<string, string>();
    const ask = async (id: string): Promise<void> => {
      const owner = await engine.ownerOf(id).catch(() => undefined);
      if (owner !== undefined) owners.set(id, owner.node);
    };
    if (this.synced) await Promise.all(ids.map(ask));
    return owners;
  }

  /** An upstream begins here, or one that is here was placed here again. */
  began(id: string, epoch: number | undefined): void {
    this.ids.began(id, epoch);
  }

  /** An upstream has ended. After failures its record stays: the next attempt of its sender belongs here. */
  ended(id: string, epoch: number | undefined, reason: CloseReason): void {
    const newest = Math.max(this.ids.ended(id), epoch ?? 0);
    if (reason === 'done' || reason === 'api_delete') this.releaseId(id, newest, STAY);
  }

  /** A draining node gives an upstream away: the next placement chooses another node. */
  async release(id: string): Promise<void> {
    // Forgotten first: until the upstream has ended, a refresh would claim it again.
    const epoch = this.ids.ended(id);
    this.cache.delete(id);
    if (this.synced) await this.engine.release(id, this.self.name, epoch, 0);
  }

  /** A node that drains gets no new upstreams. */
  setDraining(draining: boolean): void {
    if (this.self.draining === draining) return;
    this.heart.change({ draining });
    this.heart.soon();
  }

  /** From now on, no sender is sent to this node, because its KMP server closes. */
  stopTaking(): void {
    this.taking = false;
  }

  /** Leaves the fleet. Takes at most `engine_timeout`. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    // A heartbeat after it has left would bring its record back.
    this.stopTimers();
    if (this.engine.up) await this.engine.leave(this.self.name).catch(() => {});
    this.abandon();
  }

  /** Ends without leaving, as a process that dies. */
  abandon(): void {
    this.stopped = true;
    this.stopTimers();
    void this.engine.stop();
  }

  private stopTimers(): void {
    for (const timer of this.timers) timer.cancel();
    this.heart.stop();
    this.ids.stop();
  }

  private createEngine(): FleetEngine {
    const { createEngine = (config) => new RedisEngine(config, this.options) } = this.options;
    const engine = createEngine(this.config);
    engine.onUp = (up) => this.onUp(up);
    engine.onNodes = () => this.heart.later();
    engine.onOwner = (owner) => {
      this.cache.set(owner);
      this.ids.changed(owner);
    };
    return engine;
  }

  /** The engine, once it has the ids of this node. Right after a loss, this waits for it, up to `engine_timeout`. */
  private async readyEngine(): Promise<FleetEngine | undefined> {
    if (!this.synced) {
      const { clock } = this.options;
      // A connection that breaks is open again in a moment, and so is the first one at the start.
      const { engineTimeout } = this.config;
      const patience = this.hadContact ? engineTimeout : Math.max(engineTimeout, FIRST_CONTACT);
      const left = (this.lostAt ?? clock.now()) + patience - clock.now();
      if (left > 0) await this.untilSynced(left);
    }
    return this.synced ? this.engine : undefined;
  }

  private onUp(up: boolean): void {
    if (this.stopped) return;
    const { clock } = this.options;
    if (!up) {
      this.synced = false;
      this.lostAt ??= clock.now();
      return;
    }
    // If it fails, the engine is away again, and will be up again.
    void this.sync().catch(() => {});
  }

  private untilSynced(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.waiting.delete(done);
        resolve();
      };
      const timer = deadline(this.options.clock, ms, done);
      this.waiting.add(done);
    });
  }

  /** After a connection: live ids are claimed before anything is placed. Changes were missed, too. */
  private async sync(): Promise<void> {
    const { engine, lostAt, options } = this;
    await this.heart.beat();
    await this.ids.claimAll(engine);
    if (engine !== this.engine || !engine.up) return;
    if (lostAt !== undefined && options.clock.now() - lostAt > LONG_OUTAGE) this.hold();
    this.lostAt = undefined;
    this.synced = true;
    this.hadContact = true;
    this.peers.forget();
    for (const done of this.waiting) done();
  }

  /** Ids without a record may be live at nodes that have not claimed them yet. */
  private hold(): void {
    this.holdUntil = this.options.clock.now() + RETURN_TIME;
  }

  private onBeat(): void {
    if (this.engine.up) this.heart.soon();
    else this.peers.refresh();
  }

  private onRefresh(): void {
    if (this.synced) void this.ids.claimAll(this.engine).catch(() => {});
  }

  private releaseId(id: string, epoch: number, stay: number): void {
    if (this.synced) void this.engine.release(id, this.self.name, epoch, stay).catch(() => {});
  }

  private onMoved(owners: readonly OwnerRecord[]): void {
    this.fenced += owners.length;
    for (const { id, node } of owners) {
      this.options.log.warn(`fleet: ${JSON.stringify(id)} ends here, because ${node} owns it`);
    }
    this.options.onMoved?.(owners);
  }

  private every(ms: number, work: () => void): void {
    const { clock } = this.options;
    const index = this.timers.length;
    const next = (): void => {
      this.timers[index] = clock.after(
        ms,
        () => {
          work();
          if (!this.stopped) next();
        },
        false,
      );
    };
    next();
  }
}
