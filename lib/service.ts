import { accessCheck } from './api/access.js';
import { HttpListener } from './api/http-listener.js';
import type { ServiceCounters } from './api/service-counters.js';
import { systemClock, type Clock } from './clock.js';
import { destinationCheck } from './config/destination-check.js';
import type { Config, HttpServerConfig, KmpServerConfig } from './config/config.js';
import { httpApp } from './http-app.js';
import { addressName, type ListenOn } from './listen.js';
import { ListenerSet } from './listener-set.js';
import { noLog, type Logger } from './log.js';
import { dnsResolve, systemResolve } from './rtmp/resolve.js';
import { flushDumps } from './upstream/dump.js';
import { KmpCounter, KmpListener, type KmpListenerContext } from './upstream/kmp-listener.js';
import { LocalManagement } from './upstream/local-management.js';
import { notificationOf } from './upstream/notification.js';
import { Notifier } from './upstream/notifier.js';
import { Registry } from './upstream/registry.js';
import type { Management } from './upstream/status.js';
import { Totals, type ServiceTotals } from './upstream/totals.js';

/** Of `worker_shutdown_timeout`, what upstreams have to end in order; the rest is for their notifications. */
const DRAIN_SHARE = 0.8;

export interface ServiceOptions {
  /** Default: nothing is logged. */
  readonly log?: Logger;
  readonly clock?: Clock;
}

/**
 * The whole service: builds the parts that a configuration asks for and joins them. The only file that knows all of them.
 */
export class Service {
  readonly management: Management;
  private readonly log: Logger;
  private readonly clock: Clock;
  private readonly registry: Registry;
  private readonly notifier: Notifier;
  private readonly totals = new Totals();
  /** By the first address of the server: its caps are its own. */
  private readonly counters = new Map<string, KmpCounter>();
  private readonly kmp = new ListenerSet<KmpServerConfig, KmpListener>(
    (at, server) => this.kmpListener(at, server),
    (listener, server) => (listener.context = this.context(server)),
  );
  private readonly http = new ListenerSet<HttpServerConfig, HttpListener>(
    (at, server) => new HttpListener(at, this.app(server), this.log),
    (listener, server) => (listener.app = this.app(server)),
  );
  private config: Config;
  private connections = 0;
  private state: 'new' | 'running' | 'stopping' | 'stopped' = 'new';

  constructor(config: Config, options: ServiceOptions = {}) {
    this.config = config;
    this.log = options.log ?? noLog;
    this.clock = options.clock ?? systemClock;
    this.registry = new Registry({
      clock: this.clock,
      log: this.log,
      nextConnection: this.nextConnection,
      totals: this.totals,
      onEnd: (upstream, reason, settings) =>
        this.notifier.notify(notificationOf('rtmp_close', reason, upstream), settings),
      onReconnect: (upstream, reason, settings) =>
        this.notifier.notify(notificationOf('rtmp_reconnect', reason, upstream), settings),
    });
    this.notifier = new Notifier({ clock: this.clock, log: this.log });
    this.management = new LocalManagement(this.registry);
  }

  /** Where KMP is taken; the ports are the real ones once {@link start} has resolved. */
  get kmpAddresses(): { host: string; port: number }[] {
    return this.kmp.addresses(this.config.kmpServers);
  }

  /** Where HTTP is answered. */
  get httpAddresses(): { host: string; port: number }[] {
    return this.http.addresses(this.config.httpServers);
  }

  /** True while new KMP connections are taken. */
  get ready(): boolean {
    return this.state === 'running' && this.kmp.all.every((listener) => listener.listening);
  }

  /**
   * Listens on all addresses.
   *
   * @throws ListenError if one of them cannot be had; the others are closed again then
   */
  async start(): Promise<void> {
    try {
      await this.apply(this.config);
      this.state = 'running';
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /**
   * Takes over another configuration: new connections and upstreams follow it, those that live keep what they began with.
   *
   * @throws ListenError if a new address cannot be had; everything stays as it was then
   */
  async reload(config: Config): Promise<void> {
    await this.apply(config);
  }

  /**
   * Ends in order: no new connections, queued frames go out, streams are unpublished, notifications are sent and dumps written; what
   * has not ended after `worker_shutdown_timeout` is cut.
   */
  async stop(): Promise<void> {
    if (this.state === 'stopping' || this.state === 'stopped') return;
    this.state = 'stopping';
    this.kmp.close();
    const { clock } = this;
    const end = clock.now() + this.config.workerShutdownTimeout;
    await within(clock, this.config.workerShutdownTimeout * DRAIN_SHARE, this.registry.drain());
    // Those that did not make it are notified of, too.
    this.registry.destroy();
    const left = (): number => Math.max(0, end - clock.now());
    await this.notifier.drain(left());
    await within(clock, left(), flushDumps());
    this.kill();
  }

  /** Ends at once. */
  kill(): void {
    this.state = 'stopped';
    this.registry.destroy();
    this.kmp.destroy();
    this.http.destroy();
    void this.notifier.drain(0);
  }

  /** For the metrics. */
  private readonly serviceCounters: ServiceCounters = {
    totals: () =>
      Promise.resolve({
        ...this.totals.take(),
        kmp_connections: this.kmpTotals(),
        notifications: this.notifier.counters,
      }),
  };

  private readonly nextConnection = (): number => ++this.connections;

  private async apply(config: Config): Promise<void> {
    // First all that can fail, and nothing that is there is touched.
    const kmp = await this.kmp.prepare(config.kmpServers);
    try {
      const http = await this.http.prepare(config.httpServers);
      // It may have been stopped meanwhile.
      if (this.state === 'stopped') http.rollback();
      else http.commit();
    } catch (error) {
      kmp.rollback();
      throw error;
    }
    if (this.state === 'stopped') return kmp.rollback();
    kmp.commit();
    this.config = config;
  }

  private kmpTotals(): ServiceTotals['kmp_connections'] {
    const all = [...this.counters.values()];
    return {
      accepted: all.reduce((sum, { accepted }) => sum + accepted, 0),
      refused: all.reduce((sum, { refused }) => sum + refused, 0),
    };
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
        totals: this.totals,
        nextConnection: this.nextConnection,
        join: (data, context, codec) => this.registry.join(data, context, codec),
      },
      this.context(server),
    );
  }

  private context(server: KmpServerConfig): KmpListenerContext {
    const { resolver, resolverTimeout } = server;
    const mayConnect = destinationCheck(server.media.outAccess);
    return {
      settings: server.media,
      allowed: accessCheck(server.access),
      permit: (address, port, host) => mayConnect(host, address, port),
      resolve: resolver === undefined ? systemResolve : dnsResolve({ ...resolver, timeout: resolverTimeout }),
    };
  }

  private app(server: HttpServerConfig): ReturnType<typeof httpApp> {
    return httpApp(server, {
      management: this.management,
      health: { ready: () => this.ready },
      counters: this.serviceCounters,
      kmp: () => this.kmpAddresses[0],
      clock: this.clock,
      log: this.log,
    });
  }
}

/** Resolves with the promise, or after `ms` without it. */
function within(clock: Clock, ms: number, promise: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, resolve);
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
