import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../time/clock.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { SigningSecret } from '../../base/signing-secret.js';
import { addressLimit } from '../../net/address-limit.js';
import { addressName, closeServer, listenOn, type ListenOn } from '../../net/listen.js';
import type { Listener } from '../../net/listener-set.js';
import type { Logger } from '../../base/logger.js';
import { peerAddress, peerName, setPeer, UNIX_PEER } from '../../net/peer.js';
import { readProxyHeader, takeProxyHeader } from '../../net/read-proxy-header.js';
import { PeerLog } from '../../net/peer-log.js';
import type { IntakeMemory, IntakeShare } from './intake-memory.js';
import { openKmpConnection } from './kmp-connection.js';
import { Misplaced } from './misplaced.js';
import { readConnect, type ConnectHead } from './read-connect.js';
import { stopReadingForGood } from '../../node-internals/stop-reading.js';
import type { OwnerGate } from '../ownership/owner-gate.js';
import type { JoinContext } from '../registry.js';
import { rejections, type Rejections } from '../report/rejection.js';
import type { Totals } from '../report/totals.js';
import type { Upstream } from '../upstream.js';

/** The settings for new connections. A reload replaces them. */
export interface KmpListenerContext extends Omit<JoinContext, 'permit'> {
  /** Where the upstreams of a sender may connect to, by the address of the sender; default: anywhere. */
  readonly permitFor?: (sender: string | undefined) => JoinContext['permit'];
  /** Whether a peer may connect (`allow`, `deny`). */
  readonly allowed: (address: string | undefined) => boolean;
  /** Secrets, one of which connect data must be signed with; default: none, and it needs no signature. */
  readonly secrets?: readonly SigningSecret[];
  /** Names of the addresses on which connections begin with a PROXY protocol header. */
  readonly proxyProtocol?: ReadonlySet<string>;
}

/** Decides which process a connection belongs to, if there are several workers. */
export interface KmpRouter {
  /** True if the tracks of this upstream are merged in this process. */
  isHere(upstreamId: string): boolean;
  /**
   * Passes the connection to the worker that it belongs to.
   *
   * @param head the bytes that have been read from it
   * @param gone called once: the connection is sent, or closed
   */
  transfer(socket: Socket, upstreamId: string, head: Buffer, listener: string, gone: () => void): void;
}

export interface KmpListenerOptions {
  readonly address: ListenOn;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counter: KmpCounter;
  readonly nextConnection: () => number;
  readonly router?: KmpRouter;
  /** Decides whether a connection belongs to this node of a fleet; default: all do. */
  readonly gate?: OwnerGate | undefined;
  readonly join: (data: ConnectData, context: JoinContext, codec: number) => Upstream;
  readonly totals?: Totals;
  /** The memory of connections that do not belong to an upstream yet; default: it has no limit. */
  readonly intakeMemory?: IntakeMemory;
}

/** Counts accepted and refused connections of all listeners, and open connections by address. */
export class KmpCounter {
  accepted = 0;
  refused = 0;
  /** Connections that were passed on to another node. */
  relayed = 0;
  open = 0;
  /** Senders that a rule has rejected. */
  readonly rejected: Rejections = rejections(() => 0);
  private readonly byAddress = new Map<string, number>();

  of(address: string): number {
    return this.byAddress.get(address) ?? 0;
  }

  enter(address: string): void {
    this.accepted++;
    this.open++;
    this.byAddress.set(address, this.of(address) + 1);
  }

  leave(address: string): void {
    this.open--;
    const left = this.of(address) - 1;
    if (left > 0) this.byAddress.set(address, left);
    else this.byAddress.delete(address);
  }
}

/** The least time between two log lines about refused connections, ms. Many refusals must not fill the log. */
const REFUSAL_LOG_INTERVAL = 1000;

/** Maximum time for the header of a load balancer without `kmp_rtmp_in_read_timeout`, in ms. */
const PROXY_HEADER_TIMEOUT = 20_000;

/** A listener for KMP connections on one address. */
export class KmpListener implements Listener {
  /** The port, once listening. */
  port: number;
  private readonly options: KmpListenerOptions;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly errors: PeerLog;
  private readonly misplaced: Misplaced;
  /** Connections whose PROXY protocol header has not arrived yet. */
  private readonly awaitingHeader = new Set<Socket>();
  /** The headers of connections that may have to move to another worker. */
  private readonly headers = new WeakMap<Socket, Buffer>();
  /** What each open connection uses of the memory for connections without an upstream. */
  private readonly shares = new WeakMap<Socket, IntakeShare>();
  private refusalLoggedAt = -Infinity;
  private closing = false;

  constructor(
    options: KmpListenerOptions,
    public context: KmpListenerContext,
  ) {
    this.options = options;
    this.errors = new PeerLog(options.clock);
    this.misplaced = new Misplaced({ ...options, errors: this.errors }, () => this.closing);
    this.port = options.address.port;
    this.server = createServer({ noDelay: true }, (socket) => this.accept(socket));
  }

  /** @throws ListenError */
  async listen(): Promise<void> {
    this.port = await listenOn(this.server, this.options.address);
    // Errors such as too few file descriptors. Node accepts connections again when it can.
    this.server.on('error', (error) => this.options.log.error(`KMP listener: ${error.message}`));
  }

  /** The address as written in the configuration. */
  get name(): string {
    return addressName(this.options.address);
  }

  get listening(): boolean {
    return this.server.listening;
  }

  /** Accepts no new connections. Open ones stay, and `done` is called when the last one has ended. */
  close(done?: () => void): void {
    this.closing = true;
    closeServer(this.server, done);
  }

  /** Closes the open connections at once. */
  destroy(): void {
    this.close();
    for (const socket of [...this.sockets, ...this.awaitingHeader]) socket.destroy();
  }

  private accept(socket: Socket): void {
    const { address, clock } = this.options;
    if (address.path !== undefined) setPeer(socket, { address: UNIX_PEER, port: 0 });
    if (!this.hasProxyHeaders) {
      this.admit(socket);
      return;
    }
    const { settings } = this.context;
    // The address of the client is not known yet, but the number of connections is limited.
    const why = this.overLimit();
    if (why !== undefined) {
      this.refuse(socket, why);
      return;
    }
    this.awaitingHeader.add(socket);
    socket.once('close', () => this.awaitingHeader.delete(socket));
    readProxyHeader(socket, settings.inReadTimeout || PROXY_HEADER_TIMEOUT, clock, (header, problem) => {
      this.awaitingHeader.delete(socket);
      if (header === undefined) {
        this.refuse(socket, problem);
        return;
      }
      this.headers.set(socket, header);
      this.admit(socket);
    });
  }

  private get hasProxyHeaders(): boolean {
    return this.context.proxyProtocol?.has(this.name) === true;
  }

  private admit(socket: Socket): void {
    if (this.isGone(socket)) return;
    const why = this.refusal(peerAddress(socket));
    if (why !== undefined) {
      this.refuse(socket, why);
      return;
    }
    this.enter(socket);
    const { router, gate } = this.options;
    if (router === undefined && gate?.isActive !== true) this.open(socket);
    else this.route(socket, router);
  }

  /**
   * Closes a connection whose sender has reset it already. Its address is not known any more. An upstream that began
   * with it could not publish to loopback addresses until its end, as if its sender was on another machine.
   */
  private isGone(socket: Socket): boolean {
    if (peerAddress(socket) !== undefined) return false;
    socket.on('error', () => {});
    socket.destroy();
    return true;
  }

  private refuse(socket: Socket, why: string): void {
    this.options.counter.refused++;
    this.logRefusal(socket, why);
    socket.on('error', () => {});
    socket.destroy();
  }

  /** Takes a connection that another worker accepted; `head` has the bytes that were read from it. */
  adopt(socket: Socket, head: Buffer): void {
    if (this.closing) {
      socket.destroy();
      return;
    }
    const { address } = this.options;
    if (address.path !== undefined) setPeer(socket, { address: UNIX_PEER, port: 0 });
    // The other worker has checked the header.
    const data = this.hasProxyHeaders ? takeProxyHeader(socket, head) : head;
    if (this.isGone(socket)) return;
    // Each worker has its own limits. The other one has counted the connection only until it was sent here.
    const why = this.refusal(peerAddress(socket));
    if (why !== undefined) {
      this.refuse(socket, why);
      return;
    }
    this.enter(socket);
    socket.unshift(data);
    this.open(socket);
  }

  private enter(socket: Socket): void {
    const { counter } = this.options;
    const address = peerAddress(socket) ?? '';
    counter.enter(address);
    this.sockets.add(socket);
    const share = this.options.intakeMemory?.enter();
    if (share !== undefined) this.shares.set(socket, share);
    socket.once('close', () => {
      share?.release();
      this.sockets.delete(socket);
      counter.leave(address);
    });
  }

  /** Reads the connect packet first. It names the upstream, and thus the node and the worker that it belongs to. */
  private route(socket: Socket, router: KmpRouter | undefined): void {
    const { settings } = this.context;
    const share = this.shares.get(socket);
    const routed = ({ connect, bytes: head, isLate }: ConnectHead): void => {
      // The sender has closed the connection within its connect packet. A stream that has ended takes no bytes back.
      if (socket.readableEnded) {
        socket.destroy();
        return;
      }
      if (connect !== undefined && this.misplaced.takes(socket, connect, head, this.context)) return;
      if (connect === undefined || router === undefined || router.isHere(connect.data.upstreamId)) {
        socket.unshift(head);
        this.open(socket, isLate);
        return;
      }
      const { counter } = this.options;
      const address = peerAddress(socket) ?? '';
      this.sockets.delete(socket);
      socket.removeAllListeners('close');
      stopReadingForGood(socket);
      const header = this.headers.get(socket);
      const read = header === undefined ? head : Buffer.concat([header, head]);
      router.transfer(socket, connect.data.upstreamId, read, this.name, () => {
        // Now the other worker counts the connection.
        share?.release();
        counter.leave(address);
        counter.accepted--;
      });
    };
    const { inMemLimit, inReadTimeout } = settings;
    readConnect(socket, inMemLimit, inReadTimeout, this.options.clock, routed, (bytes) => share?.hold(bytes) ?? true);
  }

  private open(socket: Socket, isLate = false): void {
    const { options } = this;
    const { permitFor, secrets, ...context } = this.context;
    const address = peerAddress(socket);
    const permit = permitFor?.(address);
    const joinContext = { ...context, ...(permit === undefined ? {} : { permit }) };
    openKmpConnection(socket, {
      errors: this.errors,
      isLate,
      connection: options.nextConnection(),
      settings: context.settings,
      clock: options.clock,
      log: options.log,
      totals: options.totals,
      unjoined: this.shares.get(socket),
      secrets,
      onRejected: (rejection) => options.counter.rejected[rejection]++,
      join: (data, codec, signer) => options.join(data, { ...joinContext, sender: { address, signer } }, codec),
    });
  }

  private refusal(address: string | undefined): string | undefined {
    const { settings, allowed } = this.context;
    const { counter } = this.options;
    if (this.closing) return 'the service is shutting down';
    if (!allowed(address)) return 'denied by the configuration';
    const why = this.overLimit() ?? this.options.intakeMemory?.refusal;
    if (why !== undefined) return why;
    const { inMaxConnectionsPerAddress, inMaxConnections } = settings;
    const perAddress = addressLimit(inMaxConnectionsPerAddress, inMaxConnections, address ?? '');
    if (counter.of(address ?? '') >= perAddress) {
      return `${perAddress} connections are open from this address (kmp_rtmp_in_max_connections_per_address)`;
    }
    return undefined;
  }

  private overLimit(): string | undefined {
    const { inMaxConnections } = this.context.settings;
    const open = this.options.counter.open + this.awaitingHeader.size;
    if (inMaxConnections === 0 || open < inMaxConnections) return undefined;
    return `${open} connections are open (kmp_rtmp_in_max_connections)`;
  }

  private logRefusal(socket: Socket, why: string): void {
    const { clock, log } = this.options;
    if (clock.now() - this.refusalLoggedAt < REFUSAL_LOG_INTERVAL) return;
    this.refusalLoggedAt = clock.now();
    log.warn(`KMP connection refused: ${why}`, { peer: peerName(socket) });
  }
}
