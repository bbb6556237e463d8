import type { RequestListener, Server } from 'node:http';
import { listenOn, type ListenOn } from '../net/listen.js';
import type { Listener } from '../net/listener-set.js';
import type { Logger } from '../base/logger.js';
import { createHttpServer } from './http-server.js';

/** One address that HTTP requests come in by. The app can be replaced while it listens (a reload). */
export class HttpListener implements Listener {
  /** The port, once listening. */
  port: number;
  private readonly server: Server;

  constructor(
    private readonly address: ListenOn,
    public app: RequestListener,
    private readonly log: Logger,
  ) {
    this.port = address.port;
    this.server = createHttpServer((req, res) => this.app(req, res));
  }

  /** @throws ListenError */
  async listen(): Promise<void> {
    this.port = await listenOn(this.server, this.address);
    this.server.on('error', (error) => this.log.error(`HTTP listener: ${error.message}`));
  }

  /** No new connections; requests under way are answered, idle connections are closed; `done` is called after the last. */
  close(done?: () => void): void {
    this.server.close(() => done?.());
    this.server.closeIdleConnections();
  }

  /** Cuts what is still open. */
  destroy(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
