import { accessCheck } from './api/access.js';
import { HttpListener } from './api/http-listener.js';
import { systemClock, type Clock } from './clock.js';
import { destinationCheck } from './config/destination-check.js';
import type { Config, HttpServerConfig, KmpServerConfig } from './config/config.js';
import { httpApp } from './http-app.js';
import { addressName, type ListenOn } from './listen.js';
import { noLog, type Logger } from './log.js';
import { dnsResolve, systemResolve } from './rtmp/resolve.js';
import { KmpCounter, KmpListener, type KmpListenerContext } from './upstream/kmp-listener.js';
import { LocalManagement } from './upstream/local-management.js';
import { Registry } from './upstream/registry.js';
import type { Management } from './upstream/status.js';

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
  private readonly counter = new KmpCounter();
  private readonly kmp = new Map<string, KmpListener>();
  private readonly http = new Map<string, HttpListener>();
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
    });
    this.management = new LocalManagement(this.registry);
  }

  /** Where KMP is taken; the ports are the real ones once {@link start} has resolved. */
  get kmpAddresses(): { host: string; port: number }[] {
    return addresses(this.config.kmpServers, this.kmp);
  }

  /** Where HTTP is answered. */
  get httpAddresses(): { host: string; port: number }[] {
    return addresses(this.config.httpServers, this.http);
  }

  /** True while new KMP connections are taken. */
  get ready(): boolean {
    return this.state === 'running' && [...this.kmp.values()].every((listener) => listener.listening);
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
   * Ends in order: no new connections, queued frames go out, streams are unpublished, requests are answered; what has not
   * ended after `worker_shutdown_timeout` is cut.
   */
  async stop(): Promise<void> {
    if (this.state === 'stopping' || this.state === 'stopped') return;
    this.state = 'stopping';
    for (const listener of this.kmp.values()) listener.close();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.config.workerShutdownTimeout);
    });
    await Promise.race([this.registry.drain(), late]);
    clearTimeout(timer);
    this.kill();
  }

  /** Ends at once. */
  kill(): void {
    this.state = 'stopped';
    this.registry.destroy();
    for (const listener of this.kmp.values()) listener.destroy();
    for (const listener of this.http.values()) listener.destroy();
    this.kmp.clear();
    this.http.clear();
  }

  private readonly nextConnection = (): number => ++this.connections;

  private async apply(config: Config): Promise<void> {
    const kmp = new Map(
      config.kmpServers.flatMap((server) => server.listen.map((at) => [addressName(at), { at, server }])),
    );
    const http = new Map(
      config.httpServers.flatMap((server) => server.listen.map((at) => [addressName(at), { at, server }])),
    );
    // First all that can fail, and nothing that is there is touched.
    const fresh: (KmpListener | HttpListener)[] = [];
    try {
      for (const [name, { at, server }] of kmp) {
        if (this.kmp.has(name)) continue;
        const listener = this.kmpListener(at, server);
        fresh.push(listener);
        await listener.listen();
        this.kmp.set(name, listener);
      }
      for (const [name, { at, server }] of http) {
        if (this.http.has(name)) continue;
        const listener = new HttpListener(at, this.app(server), this.log);
        fresh.push(listener);
        await listener.listen();
        this.http.set(name, listener);
      }
    } catch (error) {
      for (const listener of fresh) listener.destroy();
      for (const [name, listener] of this.kmp) if (fresh.includes(listener)) this.kmp.delete(name);
      for (const [name, listener] of this.http) if (fresh.includes(listener)) this.http.delete(name);
      throw error;
    }
    for (const [name, listener] of this.kmp) {
      const wanted = kmp.get(name);
      if (wanted !== undefined) listener.context = this.context(wanted.server);
      else {
        listener.close();
        this.kmp.delete(name);
      }
    }
    for (const [name, listener] of this.http) {
      const wanted = http.get(name);
      if (wanted !== undefined) listener.app = this.app(wanted.server);
      else {
        listener.close();
        this.http.delete(name);
      }
    }
    this.config = config;
  }

  private kmpListener(address: ListenOn, server: KmpServerConfig): KmpListener {
    return new KmpListener(
      {
        address,
        clock: this.clock,
        log: this.log,
        counter: this.counter,
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
      kmp: () => this.kmpAddresses[0],
      clock: this.clock,
      log: this.log,
    });
  }
}

function addresses(
  servers: readonly { readonly listen: readonly ListenOn[] }[],
  listeners: ReadonlyMap<string, { readonly port: number }>,
): { host: string; port: number }[] {
  return servers.flatMap((server) =>
    server.listen.map((at) => ({ host: at.host, port: listeners.get(addressName(at))?.port ?? at.port })),
  );
}
