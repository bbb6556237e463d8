import type { RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { closeServer, listenOn, type ListenOn } from '../../net/listen.js';
import type { Listener } from '../../net/listener-set.js';
import type { Logger } from '../../base/logger.js';
import { peerName, setPeer, UNIX_PEER } from '../../net/peer.js';
import { systemClock, type Clock } from '../../time/clock.js';
import { ConnectionGate, type ConnectionLimits } from './connection-gate.js';
import { createHttpServer } from './http-server.js';
import { reserveForHealth } from './reserved.js';
import { TlsServer } from './tls-server.js';

/** What a listener serves. */
export interface HttpService {
  readonly app: RequestListener;
  /** Certificates and keys for HTTPS; undefined: plain HTTP. */
  readonly tls?: SecureContextOptions | undefined;
  readonly limits: ConnectionLimits;
  /** Whether a client with this address may connect. */
  readonly allowed: (address: string | undefined) => boolean;
}

/** The least time between two log lines about refused connections, in ms. */
const LOG_INTERVAL = 10_000;

/** A listener for HTTP requests on one address. A reload can replace what it serves while it listens. */
export class HttpListener implements Listener {
  /** The actual port while listening. */
  port: number;
  private readonly server: Server;
  private readonly serve: (socket: Socket) => void;
  /** All open connections, including those in a TLS handshake. */
  private readonly sockets = new Set<Socket>();
  /** The answers to all requests that have come. */
  private readonly responses = new Set<ServerResponse>();
  private tls: TlsServer | undefined;
  private readonly gate: ConnectionGate;
  private refused = 0;
  private nextLog = -Infinity;

  constructor(
    readonly address: ListenOn,
    private current: HttpService,
    private readonly log: Logger,
    private readonly clock: Clock = systemClock,
  ) {
    this.port = address.port;
    this.gate = new ConnectionGate(current.limits, current.allowed);
    this.server = createHttpServer(
      (req, res) => {
        const ended = this.gate.begin(req.socket);
        this.responses.add(res);
        res.once('close', () => {
          this.responses.delete(res);
          ended();
        });
        if (this.gate.isReserved(req.socket)) reserveForHealth(req.socket);
        this.current.app(req, res);
      },
      { maxConnections: Infinity },
    );
    this.service = current;
    // Each connection is checked before the server of Node gets it.
    const listeners = this.server.listeners('connection');
    this.server.removeAllListeners('connection').on('connection', (socket: Socket) => this.accept(socket));
    this.serve = (socket) => {
      for (const listener of listeners) Reflect.apply(listener, this.server, [socket]);
    };
  }

  /** Applies to later requests, and to the TLS of later connections. */
  set service(service: HttpService) {
    this.current = service;
    this.gate.limits = service.limits;
    this.gate.allowed = service.allowed;
    if (service.tls === undefined) this.tls = undefined;
    else if (this.tls === undefined)
      this.tls = new TlsServer(service.tls, (socket, plain) => this.secured(socket, plain), this.log);
    else this.tls.material = service.tls;
  }

  /** @throws ListenError */
  async listen(): Promise<void> {
    this.port = await listenOn(this.server, this.address);
    this.server.on('error', (error) => this.log.error(`HTTP listener: ${error.message}`));
  }

  /**
   * Stops accepting connections and closes idle ones. Current requests are answered; `done` is called after the last
   * one.
   */
  close(done?: () => void): void {
    closeServer(this.server, done);
    this.server.closeIdleConnections();
  }

  /** Resolves when all requests that have come are answered. An answer that has begun, such as events, suffices. */
  async answered(): Promise<void> {
    const open = [...this.responses].filter(({ headersSent }) => !headersSent);
    await Promise.all(open.map((response) => new Promise((resolve) => response.once('close', resolve))));
  }

  /** Closes all connections. */
  destroy(): void {
    closeServer(this.server);
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    this.setPeer(socket);
    const refusal = this.gate.refusal(socket);
    if (refusal !== undefined) {
      socket.destroy();
      this.logRefusal(socket, refusal);
    } else if (this.tls === undefined) this.serve(socket);
    else this.tls.accept(socket);
  }

  private logRefusal(socket: Socket, why: string): void {
    this.refused++;
    const now = this.clock.now();
    if (now < this.nextLog) return;
    const times = this.refused === 1 ? '' : ` (${this.refused} connections since the last such line)`;
    this.log.warn(`HTTP connection refused: ${why}${times}`, { peer: peerName(socket) });
    this.refused = 0;
    this.nextLog = now + LOG_INTERVAL;
  }

  private secured(socket: Socket, plain: Socket | undefined): void {
    this.setPeer(socket);
    if (plain !== undefined) this.gate.alias(plain, socket);
    this.serve(socket);
  }

  private setPeer(socket: Socket): void {
    if (this.address.path !== undefined) setPeer(socket, { address: UNIX_PEER, port: 0 });
  }
}
