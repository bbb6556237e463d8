import type { RequestListener, Server } from 'node:http';
import { listenOn, type ListenOn } from '../net/listen.js';
import type { Listener } from '../net/listener-set.js';
import type { Logger } from '../base/logger.js';
import { setPeer, UNIX_PEER } from '../net/peer.js';
import { createHttpServer } from './http-server.js';

/** A listener for HTTP requests on one address. A reload can replace the app while it listens. */
export class HttpListener implements Listener {
  /** The actual port while listening. */
  port: number;
  private readonly server: Server;

  constructor(
    private readonly address: ListenOn,
    public app: RequestListener,
    private readonly log: Logger,
  ) {
    this.port = address.port;
    this.server = createHttpServer((req, res) => this.app(req, res));
    if (address.path !== undefined) {
      this.server.on('connection', (socket) => setPeer(socket, { address: UNIX_PEER, port: 0 }));
    }
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
    this.server.closeAllConnections();
  }
}
