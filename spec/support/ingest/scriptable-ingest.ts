import net from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import { freePort } from '../network/free-port.js';
import { IngestConnection } from './script-connection.js';
import type { Script } from './script.js';

export type { Script } from './script.js';
export { IngestConnection } from './script-connection.js';

/**
 * An RTMP server for specs that follows a script, which can be odd or hostile. Without a script it is the
 * golden recordings' ingest: S0 S1 S2 with an S1 of zeros, and nothing else, ever; every byte behind the handshake is
 * kept (`connection.raw()`), and parsed by a parser of its own (`connection.messages`).
 */
export class ScriptableIngest {
  readonly connections: IngestConnection[] = [];
  private readonly waiting: (() => void)[] = [];
  private handedOut = 0;

  private constructor(
    private readonly server: net.Server,
    /** Applies to connections made from now on; may be changed. */
    public script: Script,
  ) {}

  /** @param port of one that was closed; default: a free one */
  static async start(script: Script = {}, port?: number): Promise<ScriptableIngest> {
    const onSocket = (socket: net.Socket) => ingest.accept(socket);
    const server = script.tls === undefined ? net.createServer(onSocket) : tls.createServer(script.tls, onSocket);
    const ingest = new ScriptableIngest(server, script);
    server.on('tlsClientError', () => {});
    server.listen(port ?? (await freePort()), '127.0.0.1');
    await once(server, 'listening');
    return ingest;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  /** The connections in the order in which they came, each handed out once. */
  async next(): Promise<IngestConnection> {
    for (;;) {
      const connection = this.connections[this.handedOut];
      if (connection !== undefined) {
        this.handedOut++;
        return connection;
      }
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  private accept(socket: net.Socket): void {
    this.connections.push(new IngestConnection(socket, this.script, this.connections.length));
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** Resets what is open and stops listening; the port is free again after it. */
  async close(): Promise<void> {
    for (const connection of this.connections) connection.reset();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}
