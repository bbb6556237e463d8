import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { listenOn, type ListenOn } from '../net/listen.js';
import type { Listener } from '../net/listener-set.js';
import type { Logger } from '../base/logger.js';
import { setPeer, UNIX_PEER } from '../net/peer.js';
import { createHttpServer } from './http-server.js';
import { TlsServer } from './tls-server.js';

/** What a listener serves. */
export interface HttpService {
  readonly app: RequestListener;
  /** Certificates and keys for HTTPS; undefined: plain HTTP. */
  readonly tls?: SecureContextOptions | undefined;
}

/** A listener for HTTP requests on one address. A reload can replace what it serves while it listens. */
export class HttpListener implements Listener {
  /** The actual port while listening. */
  port: number;
  private readonly server: Server;
  private readonly serve: (socket: Socket) => void;
  /** All open connections, including those in a TLS handshake. */
  private readonly sockets = new Set<Socket>();
  private tls: TlsServer | undefined;

  constructor(
    readonly address: ListenOn,
    private current: HttpService,
    private readonly log: Logger,
  ) {
    this.port = address.port;
    this.server = createHttpServer((req, res) => this.current.app(req, res));
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
    if (service.tls === undefined) this.tls = undefined;
    else if (this.tls === undefined) this.tls = new TlsServer(service.tls, (socket) => this.secured(socket), this.log);
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
    this.server.close(() => done?.());
    this.server.closeIdleConnections();
  }

  /** Closes all connections. */
  destroy(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    this.setPeer(socket);
    if (this.tls === undefined) this.serve(socket);
    else this.tls.accept(socket);
  }

  private secured(socket: Socket): void {
    this.setPeer(socket);
    this.serve(socket);
  }

  private setPeer(socket: Socket): void {
    if (this.address.path !== undefined) setPeer(socket, { address: UNIX_PEER, port: 0 });
  }
}
