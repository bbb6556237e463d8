import type { SecureContextOptions } from 'node:tls';
import type winston from 'winston';
import { HttpListener, type HttpService } from './api/server/http-listener.js';
import { systemClock, type Clock } from './time/clock.js';
import { ClusterMediaService } from './cluster/cluster-media-service.js';
import { accessCheck } from './config/access/access-check.js';
import type { Config, HttpServerConfig } from './config/config.js';
import { Drain } from './fleet/drain/drain.js';
import { Fleet } from './fleet/fleet.js';
import type { NodeRecord } from './fleet/node-record.js';
import { ServiceFleet } from './http/service-fleet.js';
import { readCertificates } from './http/certificates.js';
import type { httpApp } from './http/http-app.js';
import { addressName, type ListenOn } from './net/listen.js';
import { ListenerSet } from './net/listener-set.js';
import { noLog, type Logger } from './base/logger.js';
import { within } from './time/within.js';
import { asLogger } from './logging/winston-adapter.js';
import { allowInternals } from './node-internals/internals.js';
import { logInternals } from './node-internals/log-internals.js';
import { LocalMediaService } from './media-service/local-media-service.js';
import type { MediaService } from './media-service/media-service.js';
import type { Management } from './upstream/report/status.js';

/** The share of `worker_shutdown_timeout` in which the upstreams of a node of a fleet can move to other nodes. */
const DRAIN_SHARE = 0.7;
/** The longest time that HTTP requests get for their answer when all media has ended, in ms. */
const ANSWER_TIME = 1000;
/** Upstreams per second that move if the configuration has lost its block `fleet` by a reload. */
const DRAIN_RATE = 10;

export interface ServiceOptions {
  /**
   * Where lines go: a {@link Logger}, such as that of `Logging`, or a winston logger of your own. Default: nothing is
   * logged. With several worker processes, what the workers log goes to the targets of `error_log`.
   */
  readonly log?: Logger | winston.Logger;
  readonly clock?: Clock;
  /** Further listeners of this process, to which no upstream may connect. Default: none. */
  readonly ownListeners?: () => readonly { readonly host: string; readonly port: number }[];
}

/** An HTTP server of the configuration, with its certificates and keys. */
interface HttpServer extends HttpServerConfig {
  readonly tls?: SecureContextOptions | undefined;
}

/**
 * The whole service: the media side, in this process or in several workers, and the HTTP side that shows it. The only
 * file that knows all parts.
 */
export class Service {
  private readonly log: Logger;
  private readonly clock: Clock;
  private readonly media: MediaService;
  private readonly http = new ListenerSet<HttpServer, HttpListener>(
    (at, server) => new HttpListener(at, this.httpService(at, server), this.log, this.clock),
    (listener, server) => (listener.service = this.httpService(listener.address, server)),
  );
  /** This process as a node of a fleet; undefined: it is none. */
  readonly fleet: Fleet | undefined;
  private readonly fleetSide: ServiceFleet | undefined;
  private readonly drain: Drain | undefined;
  private config: Config;
  /** Loaded when the configuration has an HTTP server: a service without one does not need that code. */
  private makeApp: typeof httpApp | undefined;
  private ending = false;

  constructor(config: Config, options: ServiceOptions = {}) {
    this.config = config;
    if (!config.nodeInternals) allowInternals(false);
    this.log = asLogger(options.log ?? noLog);
    this.clock = options.clock ?? systemClock;
    const parts = { log: this.log, clock: this.clock };
    this.fleet =
      config.fleet &&
      new Fleet(config.fleet, {
        ...parts,
        onNodes: (nodes) => this.showNodes(nodes),
        onMoved: (owners) => this.media.fleet.fence(owners),
        idsOfPeers: async () => (await this.fleetSide?.view.idsOfPeers()) ?? new Map(),
      });
    const ownership = this.fleet === undefined ? {} : { ownership: this.fleet };
    const ownListeners = (): { host: string; port: number }[] => [
      ...this.httpAddresses,
      ...(options.ownListeners?.() ?? []),
    ];
    this.media =
      config.workerProcesses === 1
        ? new LocalMediaService(config, { ...parts, ...ownership, ownListeners })
        : new ClusterMediaService(config, { ...parts, ...ownership });
    const { fleet, media } = this;
    this.fleetSide = fleet && new ServiceFleet({ ...parts, fleet, media, config: () => this.config });
    const rate = (): number => this.config.fleet?.drainRate ?? DRAIN_RATE;
    this.drain =
      fleet &&
      new Drain({ fleet, side: media.fleet, rate, ...parts, ...(this.fleetSide && { air: this.fleetSide.air }) });
    media.management.drain = this.drain;
  }

  /** What the API shows and does, for all workers, and for all nodes of a fleet. */
  get management(): Management {
    return this.fleetSide?.view.management ?? this.media.management;
  }

  /** Where KMP is taken; the ports are the real ones once {@link start} has resolved. */
  get kmpAddresses(): { host: string; port: number }[] {
    return this.media.kmpAddresses;
  }

  /** Where HTTP is answered; `ssl`: as HTTPS. */
  get httpAddresses(): { host: string; port: number; ssl: boolean }[] {
    const listen = this.config.httpServers.flatMap((server) => server.listen);
    const addresses = this.http.addresses(this.config.httpServers);
    return addresses.map((address, index) => ({ ...address, ssl: listen[index]?.ssl === true }));
  }

  /** True while new KMP connections are taken. */
  get ready(): boolean {
    return !this.ending && !this.isDraining && this.fleet?.isJoining !== true && this.media.ready;
  }

  private get isDraining(): boolean {
    return this.drain?.status().draining === true;
  }

  /** Gives all upstreams to other nodes of the fleet. The service keeps running. */
  startDrain(): void {
    if (this.drain === undefined) this.log.warn('nothing is drained, because there is no fleet');
    else this.drain.begin();
  }

  /**
   * Listens on all addresses.
   *
   * @throws ListenError if one of them cannot be had; the others are closed again then
   * @throws CertificateError if a certificate for HTTPS cannot be used
   */
  async start(): Promise<void> {
    // The media side has to know that it is in a fleet before the first sender connects.
    this.fleet?.show();
    try {
      await this.apply(this.config, () => this.media.start());
    } catch (error) {
      this.kill();
      throw error;
    }
    logInternals(this.log);
    this.fleet?.start();
    this.fleetSide?.view.start();
  }

  /**
   * Takes over another configuration: new connections and upstreams follow it, those that live keep what they began
   * with.
   *
   * @throws ListenError if a new address cannot be had; everything stays as it was then
   * @throws CertificateError if a certificate for HTTPS cannot be used; everything stays as it was then
   */
  async reload(config: Config): Promise<void> {
    await this.apply(config, () => this.media.reload(config));
    const { fleet } = this;
    if (config.fleet !== undefined && fleet !== undefined) {
      await fleet.reload(config.fleet);
      this.showNodes(fleet.nodes.filter((node) => fleet.isAlive(node)));
    } else if (config.fleet !== undefined || fleet !== undefined) {
      this.log.warn('fleet: a node joins or leaves a fleet only at its start; restart the service');
    }
  }

  /** Reopens the log files of the workers; those of this process belong to the caller. */
  reopenLogs(): void {
    this.media.reopenLogs?.();
  }

  /**
   * Ends in order: no new connections, queued frames go out, streams are unpublished, notifications are sent; what has
   * not ended after `worker_shutdown_timeout` is cut.
   */
  async stop(): Promise<void> {
    if (this.ending) return;
    this.ending = true;
    const { clock, config } = this;
    const end = clock.now() + config.workerShutdownTimeout;
    await this.drain?.finish(config.workerShutdownTimeout * DRAIN_SHARE);
    this.drain?.stop();
    // Callbacks are answered until the end, but the KMP server closes now.
    this.fleet?.stopTaking();
    await this.media.stop(Math.max(1, end - clock.now()));
    // A controller that has asked where to connect gets its answer.
    await within(clock, ANSWER_TIME, Promise.all(this.http.all.map((listener) => listener.answered())));
    this.fleetSide?.view.stop();
    await this.fleet?.stop();
    this.http.destroy();
  }

  private get unreadyReason(): string | undefined {
    const { unavailable = [] } = this.media;
    if (this.isDraining && !this.ending) return 'the node is being drained';
    if (!this.ending && this.fleet?.isJoining === true) return 'the node has not reached the engine of the fleet yet';
    if (this.ending || unavailable.length === 0) return undefined;
    return `workers that do not answer or are being replaced: ${unavailable.join(', ')}`;
  }

  /** Ends at once. */
  kill(): void {
    this.ending = true;
    this.drain?.stop();
    this.media.kill();
    this.fleetSide?.view.stop();
    this.fleet?.abandon();
    this.http.destroy();
  }

  /** The media side passes on the connections of other nodes. */
  private showNodes(alive: readonly NodeRecord[]): void {
    const { fleet, config } = this;
    if (fleet === undefined) return;
    const nodes = alive.map(({ name, kmp: { host, port } }) => ({ name, host, port }));
    this.media.fleet.setTable({ self: fleet.self.name, misplaced: config.fleet?.misplaced ?? 'relay', nodes });
  }

  private async apply(config: Config, media: () => Promise<void>): Promise<void> {
    // First all that can fail, and nothing that is there is touched.
    const servers = config.httpServers.map((server) => ({ ...server, tls: readCertificates(server) }));
    if (servers.length > 0) this.makeApp ??= (await import('./http/http-app.js')).httpApp;
    const http = await this.http.prepare(servers);
    try {
      await media();
    } catch (error) {
      http.rollback();
      throw error;
    }
    // It may have been stopped meanwhile.
    if (this.ending) return http.rollback();
    http.commit();
    this.config = config;
  }

  private httpService(at: ListenOn, server: HttpServer): HttpService {
    const ssl = server.listen.some((address) => address.ssl === true && addressName(address) === addressName(at));
    // A client that no location lets in does not get a connection.
    const rules = server.locations.map(({ access }) => access);
    if (this.fleetSide?.isAsked(server) === true) rules.push(server.access);
    const checks = rules.map((access) => accessCheck(access));
    return {
      app: this.app(server),
      tls: ssl ? server.tls : undefined,
      limits: server.limits,
      allowed: (address) => checks.some((allowed) => allowed(address)),
    };
  }

  private app(server: HttpServerConfig): ReturnType<typeof httpApp> {
    const { fleet, makeApp } = this;
    if (makeApp === undefined) throw new Error('the HTTP side is not loaded');
    return makeApp(server, {
      management: this.management,
      health: { ready: () => this.ready, why: () => this.unreadyReason, note: () => this.fleetSide?.note },
      counters: { totals: () => this.media.totals(), processes: () => this.media.processes() },
      // Senders cannot reach a Unix-domain socket.
      kmp: () => this.kmpAddresses.find(({ host }) => !host.startsWith('unix:')),
      place: fleet && ((id, event) => fleet.place(id, event)),
      secretFor: (at) => this.secretFor(at?.port),
      clock: this.clock,
      log: this.log,
      ...this.fleetSide?.httpParts(server),
    });
  }

  /** The first secret of the KMP server with that port, or else of the first KMP server that senders can reach. */
  private secretFor(port: number | undefined): string | undefined {
    const servers = this.config.kmpServers.filter(({ listen }) => listen.some(({ path }) => path === undefined));
    const server = servers.find(({ listen }) => listen.some((one) => one.port === port)) ?? servers[0];
    return server?.secrets[0]?.secret;
  }
}
