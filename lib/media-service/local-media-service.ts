import { systemClock, type Clock } from '../time/clock.js';
import { turnReport } from '../time/turn-schedule.js';
import { within } from '../time/within.js';
import { accessCheck } from '../config/access/access-check.js';
import type { Config, KmpServerConfig } from '../config/config.js';
import { destinationCheck } from '../config/access/destination-check.js';
import type { OwnListener } from '../config/access/own-listeners.js';
import { specialAddress } from '../config/access/special-addresses.js';
import { UNIX_PEER } from '../net/peer.js';
import { addressName, type ListenOn } from '../net/listen.js';
import { ListenerSet } from '../net/listener-set.js';
import { noLog, type Logger } from '../base/logger.js';
import { dnsResolve, systemResolve } from '../rtmp/network/resolve.js';
import { flushDumps } from '../dump/dump.js';
import { IntakeMemory } from '../upstream/intake/intake-memory.js';
import { KmpCounter, KmpListener, type KmpListenerContext, type KmpRouter } from '../upstream/intake/kmp-listener.js';
import { LocalFleetSide } from './local-fleet-side.js';
import { LocalManagement } from './local-management.js';
import { testInternals } from '../node-internals/self-test.js';
import type { MediaService } from './media-service.js';
import { notificationOf } from '../upstream/notify/notification.js';
import { Notifier } from '../upstream/notify/notifier.js';
import { loadSlates } from './slates.js';
import { memoryLimit } from './memory-limit.js';
import { ProcessMonitor, type ProcessStats } from '../process/process-stats.js';
import { Registry } from '../upstream/registry.js';
import type { Ownership } from '../upstream/ownership/ownership.js';
import type { OrdersSnapshot } from '../upstream/orders/orders.js';
import { rejections } from '../upstream/report/rejection.js';
import { ClosedRecord } from '../upstream/report/closed-record.js';
import { Totals, type ServiceTotals } from '../upstream/report/totals.js';

/** The share of `worker_shutdown_timeout` in which upstreams can end in order. The rest is for their notifications. */
const DRAIN_SHARE = 0.8;

export interface LocalMediaServiceOptions {
  /** Default: nothing is logged. */
  readonly log?: Logger;
  readonly clock?: Clock;
  /** Gives the numbers of connections; default 1, 2, 3 ... */
  readonly nextConnection?: () => number;
  /** Records how upstreams end; default: {@link management} does. */
  readonly closed?: Pick<ClosedRecord, 'add' | 'live'>;
  /**
   * Further listeners of the service, to which no upstream may connect. Default: the HTTP servers of the
   * configuration.
   */
  readonly ownListeners?: () => readonly OwnListener[];
  /** The orders of operators that are in force; default: none. */
  readonly orders?: OrdersSnapshot;
  /** The number of processes that share the memory; default 1. */
  readonly workers?: number;
  /** Decides which worker a new connection belongs to; default: all stay in this process. */
  readonly router?: KmpRouter;
  /** Takes the ids that begin and end, for the fleet. */
  readonly ownership?: Ownership;
}

/** The media side in this process: KMP listeners, upstreams, notifications. */
export class LocalMediaService implements MediaService {
  readonly management: LocalManagement;
  readonly fleet: LocalFleetSide;
  private readonly log: Logger;
  private readonly clock: Clock;
  private readonly registry: Registry;
  private readonly notifier: Notifier;
  private readonly sums = new Totals();
  private readonly monitor = new ProcessMonitor();
  /** One counter for each server, by its first address: each server has its own connection limits. */
  private readonly counters = new Map<string, KmpCounter>();
  private readonly kmp = new ListenerSet<KmpServerConfig, KmpListener>(
    (at, server) => this.kmpListener(at, server),
    (listener, server) => (listener.context = this.context(server)),
  );
  private readonly intakeMemory: IntakeMemory;
  private readonly nextConnection: () => number;
  private readonly router: KmpRouter | undefined;
  private config: Config;
  private connections = 0;
  private state: 'new' | 'running' | 'stopping' | 'stopped' = 'new';

  constructor(
    config: Config,
    private readonly options: LocalMediaServiceOptions = {},
  ) {
    this.config = config;
    this.log = options.log ?? noLog;
    this.clock = options.clock ?? systemClock;
    this.nextConnection = options.nextConnection ?? (() => ++this.connections);
    this.router = options.router;
    const record = new ClosedRecord(() => this.clock.wall());
    const memLimit = memoryLimit(config.memLimit, options.workers ?? 1);
    this.intakeMemory = new IntakeMemory(memLimit);
    this.registry = new Registry({
      clock: this.clock,
      log: this.log,
      nextConnection: this.nextConnection,
      totals: this.sums,
      memLimit,
      closed: options.closed ?? record,
      ...(options.ownership === undefined ? {} : { ownership: options.ownership }),
      onEvent: (upstream, event, settings) =>
        this.notifier.notify(notificationOf(event, upstream), settings, upstream.connection),
    });
    this.fleet = new LocalFleetSide(this.registry, this.clock);
    this.notifier = new Notifier({ clock: this.clock, log: this.log });
    this.management = new LocalManagement(this.registry, record, this.clock);
    if (options.orders !== undefined) this.management.loadOrders(options.orders);
  }

  get kmpAddresses(): { host: string; port: number }[] {
    return this.kmp.addresses(this.config.kmpServers);
  }

  get ready(): boolean {
    return this.state === 'running' && this.kmp.all.every((listener) => listener.listening);
  }

  /** The listener of an address, named as in the configuration. */
  listener(name: string): KmpListener | undefined {
    return this.kmp.all.find((one) => one.name === name);
  }

  totals(): Promise<ServiceTotals> {
    const all = [...this.counters.values()];
    return Promise.resolve({
      ...this.sums.take(),
      kmp_connections: {
        accepted: all.reduce((sum, { accepted }) => sum + accepted, 0),
        refused: all.reduce((sum, { refused }) => sum + refused, 0),
        rejected: rejections((reason) => all.reduce((sum, { rejected }) => sum + rejected[reason], 0)),
        relayed: all.reduce((sum, { relayed }) => sum + relayed, 0),
      },
      notifications: { ...this.notifier.counters, ...this.notifier.deliveryCounters },
    });
  }

  async processes(): Promise<Record<string, ProcessStats>> {
    const { period, load } = turnReport(this.clock);
    const turns = { read_interval: period === undefined ? null : period / 1000, turn_load: load };
    return { main: { ...(await this.monitor.read()), ...turns } };
  }

  async start(): Promise<void> {
    await testInternals();
    await this.reload(this.config);
    if (this.state === 'new') this.state = 'running';
  }

  async reload(config: Config): Promise<void> {
    await loadSlates(config, this.log);
    const prepared = await this.kmp.prepare(config.kmpServers);
    // stop() may have been called meanwhile.
    if (this.state === 'stopped') return prepared.rollback();
    prepared.commit();
    this.config = config;
  }

  async stop(timeout = this.config.workerShutdownTimeout): Promise<void> {
    if (this.state === 'stopping' || this.state === 'stopped') return;
    this.state = 'stopping';
    this.kmp.close();
    const { clock } = this;
    const end = clock.now() + timeout;
    await within(clock, timeout * DRAIN_SHARE, this.registry.drain());
    // Upstreams that have not ended in time are notified, too.
    this.registry.destroy();
    const left = (): number => Math.max(0, end - clock.now());
    await this.notifier.drain(left());
    await within(clock, left(), flushDumps());
    this.kill();
  }

  kill(): void {
    this.state = 'stopped';
    this.monitor.stop();
    this.registry.destroy();
    this.kmp.destroy();
    void this.notifier.drain(0);
  }

  /** Where this service listens: no upstream may connect there. */
  private get ownListeners(): readonly OwnListener[] {
    const { ownListeners = () => this.config.httpServers.flatMap(({ listen }) => listen) } = this.options;
    return [...this.kmpAddresses, ...ownListeners()];
  }

  private counterOf({ listen }: KmpServerConfig, address: ListenOn): KmpCounter {
    const key = addressName(listen[0] ?? address);
    let counter = this.counters.get(key);
    if (counter === undefined) this.counters.set(key, (counter = new KmpCounter()));
    return counter;
  }

  private kmpListener(address: ListenOn, server: KmpServerConfig): KmpListener {
    return new KmpListener(
      {
        address,
        clock: this.clock,
        log: this.log,
        counter: this.counterOf(server, address),
        totals: this.sums,
        intakeMemory: this.intakeMemory,
        nextConnection: this.nextConnection,
        ...(this.router === undefined ? {} : { router: this.router }),
        gate: this.fleet.gate,
        join: (data, context, codec) => this.fleet.join(data, context, codec),
      },
      this.context(server),
    );
  }

  private context(server: KmpServerConfig): KmpListenerContext {
    const { resolver, resolverTimeout } = server;
    const check = destinationCheck(server.media.outAccess, () => this.ownListeners);
    return {
      settings: server.media,
      allowed: accessCheck(server.access),
      secrets: server.secrets,
      proxyProtocol: new Set(server.listen.filter((one) => one.proxyProtocol).map(addressName)),
      permitFor: (sender) => {
        const senderIsLocal = sender === UNIX_PEER || specialAddress(sender ?? '') === 'loopback';
        return (address, port, host) => check({ host, address, port, senderIsLocal }) ?? true;
      },
      resolve:
        resolver === undefined ? systemResolve : dnsResolve({ ...resolver, timeout: resolverTimeout }, this.clock),
    };
  }
}
