import type { Clock, Timer } from '../time/clock.js';
import type { MediaSettings } from '../config/settings.js';
import type { ConnectData } from '../kmp/connect-data.js';
import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { maskUrl } from '../base/mask.js';
import { AddressPenalties } from '../rtmp/network/address-penalties.js';
import type { Permit } from '../rtmp/network/permit.js';
import type { Resolve } from '../rtmp/network/resolve.js';
import { IN_ORDER, type CloseReason } from './report/close-reason.js';
import type { ClosedRecord } from './report/closed-record.js';
import { OwnedIds } from './ownership/owned-ids.js';
import type { Fence, Ownership } from './ownership/ownership.js';
import { describeClosed, describeInvalid } from './describe-closed.js';
import { TcpQueues } from '../rtmp/network/tcp-queues.js';
import { Destinations } from './destination/destinations.js';
import { cutAtKeyFrame, nextKeyFrame } from './ownership/move-away.js';
import { logEvent } from './notify/event-log.js';
import { isForOtherDestination } from './other-destination.js';
import { OrderDesk } from './orders/order-desk.js';
import { checkOwner, ownerOf, type Sender } from './owner.js';
import type { UpstreamStatus } from './report/status.js';
import type { Totals } from './report/totals.js';
import type { UpstreamEvent } from './report/upstream-event.js';
import { ProcessMemory, type MemoryUse } from './tracks/process-memory.js';
import { TrackRefused } from './tracks/track-refused.js';
import { Upstream } from './upstream.js';
import type { UpstreamOptions } from './upstream-options.js';

/** What a server block gives its tracks, in addition to its settings. */
export interface JoinContext {
  readonly settings: MediaSettings;
  readonly resolve: Resolve;
  readonly permit?: Permit;
  /** The sender of the track; default: unknown. */
  readonly sender?: Sender;
}

export interface RegistryOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 to 1, for the lengths of waits; default `Math.random`. */
  readonly random?: () => number;
  /** Gives connection numbers that are unique in the whole service. */
  readonly nextConnection: () => number;
  /** Bytes that the process may use (`kmp_rtmp_mem_limit`). Default: no limit. */
  readonly memLimit?: number;
  /** What the process uses. Default: as the system counts it (RSS). */
  readonly measureMemory?: () => MemoryUse;
  /** Called for each upstream that has ended, with any reason. */
  readonly totals?: Totals;
  /** Records how upstreams end. */
  readonly closed?: Pick<ClosedRecord, 'add' | 'live'>;
  readonly onEnd?: (upstream: Upstream, reason: CloseReason, settings: MediaSettings) => void;
  /** Takes the ids that begin and end here. */
  readonly ownership?: Ownership;
  /** Called for each event of an upstream, of any type. */
  readonly onEvent?: (upstream: Upstream, event: UpstreamEvent, settings: MediaSettings) => void;
}

/** ms in which an upstream that moves to another node must end in order. */
const MOVE_TIMEOUT = 10_000;
/** ms between two checks of the health of all upstreams. */
const HEALTH_INTERVAL = 1_000;

/** The upstreams of this process, by id. */
export class Registry {
  private readonly options: RegistryOptions;
  private readonly byId = new Map<string, Upstream>();
  /** All upstreams that have not ended, including closing ones whose id a new upstream has taken. */
  private readonly active = new Set<Upstream>();
  /** What operators have ordered, and how it is carried out. */
  readonly orders: OrderDesk;
  private readonly owned: OwnedIds;
  private waiters: (() => void)[] = [];
  private draining = false;

  private readonly destinations: Destinations;
  private readonly addresses: AddressPenalties;
  private readonly memory: ProcessMemory;
  private readonly queues: TcpQueues;
  private healthTimer: Timer | undefined;

  constructor(options: RegistryOptions) {
    this.options = options;
    this.destinations = new Destinations(options.clock, options.random);
    this.addresses = new AddressPenalties(options.clock);
    this.memory = new ProcessMemory(options.memLimit ?? Infinity, options.clock, options.measureMemory);
    this.memory.onExceeded = (message) => this.endLargest(message);
    this.queues = new TcpQueues(options.clock);
    this.owned = new OwnedIds(options.ownership);
    this.orders = new OrderDesk(() => this.byId.values(), options.clock);
  }

  get size(): number {
    return this.active.size;
  }

  get(id: string): Upstream | undefined {
    return this.byId.get(id);
  }

  ids(): string[] {
    return [...this.byId.keys()];
  }

  /**
   * Finds the upstream of a track, or creates it (docs/protocol/behaviour.md, Lifetimes). An upstream that is closing
   * or was superseded accepts no tracks and ends by itself.
   *
   * @throws TrackRefused while the service is stopping, or its memory does not suffice for another upstream
   * @throws SenderRejected if the upstream belongs to another sender
   */
  join(data: ConnectData, context: JoinContext, codec: number): Upstream {
    const existing = this.byId.get(data.upstreamId);
    if (existing !== undefined) checkOwner(existing.owner, context.sender);
    if (existing?.isOpen === true && !isForOtherDestination(data, existing)) {
      this.owned.joined(data.upstreamId, data.fleet);
      return existing;
    }
    if (this.draining) throw new TrackRefused('the service is shutting down');
    const full = this.memory.refusal;
    if (full !== undefined) throw new TrackRefused(full);
    // Its senders will not return.
    existing?.absentInputs.endAll();
    const { clock, log, nextConnection } = this.options;
    const connection = nextConnection();
    const elsewhere = this.orders.elsewhereOf(data);
    const upstream: Upstream = this.create({
      id: data.upstreamId,
      connection,
      data,
      elsewhere,
      settings: context.settings,
      clock,
      log: log.child({ upstream: data.upstreamId, connection }),
      resolve: context.resolve,
      destinations: this.destinations,
      addresses: this.addresses,
      memory: this.memory,
      queues: this.queues,
      owner: ownerOf(context.settings.inOwner, context.sender),
      ...(context.permit === undefined ? {} : { permit: context.permit }),
      onEvent: (event) => this.reported(upstream, event, context.settings),
      onEnd: (reason, message) => this.ended(upstream, reason, message, context.settings),
    });
    this.byId.set(data.upstreamId, upstream);
    this.active.add(upstream);
    this.owned.joined(data.upstreamId, data.fleet);
    this.watchHealth();
    this.options.totals?.enter(upstream);
    upstream.log.info('upstream begins', { url: maskUrl(data.url) });
    if (elsewhere !== undefined)
      upstream.log.info('an operator has sent it elsewhere', { url: maskUrl(elsewhere.url) });
    this.orders.begins(upstream);
    upstream.start(codec);
    return upstream;
  }

  /** Measures the lag of all upstreams, unless that was done a moment ago, or takes long. Never rejects. */
  refreshLags(): Promise<void> {
    return this.queues.refreshBriefly();
  }

  /** @param ids which ones, in their order; default: all. Ids without an upstream are left out. */
  status(ids: Iterable<string> = this.byId.keys()): Record<string, UpstreamStatus> {
    const statuses = Object.create(null) as Record<string, UpstreamStatus>;
    for (const id of ids) {
      const upstream = this.byId.get(id);
      if (upstream !== undefined) statuses[id] = upstream.status();
    }
    return statuses;
  }

  /**
   * Ends all upstreams in order: queued frames are sent and streams are unpublished. Resolves when the last upstream
   * has ended.
   */
  async drain(): Promise<void> {
    this.draining = true;
    for (const upstream of [...this.active]) upstream.drop('shutdown', true);
    while (this.active.size > 0) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  /** The epoch of the placement of an upstream; undefined: there is none. */
  epochOf(id: string): number | undefined {
    return this.owned.epochOf(id);
  }

  /** Ends an upstream at once that another node owns by now, unless it was placed here after that. */
  fence({ id, node, epoch }: Fence): void {
    if ((this.owned.epochOf(id) ?? -1) > epoch) return;
    for (const upstream of [...this.active]) {
      if (upstream.id === id) upstream.fail('fleet_moved', `node ${node} owns it since epoch ${epoch}`);
    }
  }

  /** {@link FleetSide.keyFrame} */
  async keyFrame(id: string): Promise<void> {
    const upstream = this.byId.get(id);
    if (upstream !== undefined) await nextKeyFrame(upstream.allTracks(), this.options.clock);
  }

  /** {@link FleetSide.moveAway} */
  async moveAway(id: string): Promise<boolean> {
    const upstream = this.byId.get(id);
    if (upstream === undefined) return false;
    for (const track of upstream.allTracks()) cutAtKeyFrame(track);
    upstream.drop('fleet_moved', true);
    const late = (): void => upstream.fail('fleet_moved', `the server did not take the rest in ${MOVE_TIMEOUT} ms`);
    const timer = this.options.clock.after(MOVE_TIMEOUT, late, false);
    while (!upstream.ended) await new Promise<void>((resolve) => this.waiters.push(resolve));
    timer.cancel();
    return true;
  }

  /** Ends the upstream that uses most memory, because all together use too much. */
  private endLargest(message: string): void {
    let largest: Upstream | undefined;
    for (const upstream of this.active) {
      if (largest === undefined || upstream.ledger.used > largest.ledger.used) largest = upstream;
    }
    largest?.fail('mem_limit_exceeded', message);
  }

  /** Ends all upstreams at once. */
  destroy(): void {
    this.draining = true;
    for (const upstream of [...this.active]) upstream.fail('shutdown', 'the service is stopping');
  }

  /** @throws RtmpUrlError if the URL of the connect data is invalid */
  private create(options: UpstreamOptions): Upstream {
    try {
      return new Upstream(options);
    } catch (error) {
      this.options.closed?.add(describeInvalid(options.data, options.connection, messageOf(error), this.options.clock));
      throw error;
    }
  }

  private watchHealth(): void {
    if (this.healthTimer !== undefined || this.active.size === 0) return;
    const check = (): void => {
      this.healthTimer = undefined;
      const now = this.options.clock.now();
      for (const { health } of [...this.active]) health.check(now);
      this.watchHealth();
    };
    this.healthTimer = this.options.clock.after(HEALTH_INTERVAL, check, false);
  }

  private ended(upstream: Upstream, reason: CloseReason, message: string, settings: MediaSettings): void {
    this.active.delete(upstream);
    if (this.active.size === 0) {
      this.healthTimer?.cancel();
      this.healthTimer = undefined;
    }
    this.options.totals?.leave(upstream);
    this.options.totals?.upstreamEnded(reason);
    this.options.closed?.add(describeClosed(upstream, reason, message, this.options.clock));
    if (this.byId.get(upstream.id) === upstream) {
      this.byId.delete(upstream.id);
      this.owned.ended(upstream.id, reason);
    }
    const level = IN_ORDER.has(reason) ? 'info' : 'error';
    upstream.log[level](`upstream ended: ${reason}: ${message}`, { reason });
    this.reported(upstream, { type: 'rtmp_close', reason, message }, settings);
    this.options.onEnd?.(upstream, reason, settings);
    for (const resolve of this.waiters.splice(0)) resolve();
  }

  private reported(upstream: Upstream, event: UpstreamEvent, settings: MediaSettings): void {
    logEvent(upstream.log, event);
    this.options.totals?.eventReported(event.type);
    if (event.type === 'publish_start') this.options.closed?.live(upstream.id);
    this.options.onEvent?.(upstream, event, settings);
  }
}
