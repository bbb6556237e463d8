import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { systemClock, type Clock } from '../time/clock.js';
import { noLog, type Logger } from '../base/logger.js';
import { IngestConnection, type ConnectionSettings } from './connection.js';
import { IngestStream } from './ingest-stream.js';
import type { Refusal } from './session.js';

export { IngestStream } from './ingest-stream.js';
export type { EndReason, IngestMessage } from './ingest-stream.js';
export type { Refusal } from './session.js';

/** A request to publish; all fields are untrusted. */
export interface PublishRequest {
  readonly app: string;
  readonly name: string;
  readonly remoteAddress: string;
}

export interface IngestOptions {
  /** Listens for rtmps instead, with this key and certificate. */
  readonly tls?: tls.TlsOptions;
  /** Returns a refusal to refuse a publish. Default: every publish is accepted. */
  readonly refuse?: (request: PublishRequest) => Refusal | undefined;
  /** ms that handshake and connect may take together, and that a connection may be silent. Default 30000. */
  readonly timeout?: number;
  /** Largest number of connections. Default 1000. */
  readonly maxConnections?: number;
  /** Largest message, bytes. Default 16777215. */
  readonly maxMessageSize?: number;
  /** Chunk size of the ingest's messages, bytes. Default 4096. */
  readonly chunkSize?: number;
  /** Window for acknowledgements, bytes. Default 2500000. */
  readonly window?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

interface IngestEvents {
  stream: [IngestStream];
  error: [Error];
}

/**
 * A small RTMP server for publishers, for demos, tests and recording. It supports `publish`, with several streams on a
 * connection, whose ids count from 1. It does not support `play`. A name can be published by one publisher at a time.
 *
 *     const ingest = new Ingest();
 *     ingest.on('stream', (stream) => new FlvRecorder(stream, 'out.flv'));
 *     await ingest.listen(1935);
 *
 * Emits `stream` for each publish, before its first message. Emits `error`, if there is a listener for it, when
 * accepting connections fails after {@link listen} has resolved.
 */
export class Ingest extends EventEmitter<IngestEvents> {
  private readonly server: net.Server;
  private readonly connections = new Set<IngestConnection>();
  /** All open sockets, including those in a TLS handshake. */
  private readonly sockets = new Set<net.Socket>();
  private readonly live = new Map<string, IngestStream>();
  private readonly log: Logger;
  private readonly refuse: ((request: PublishRequest) => Refusal | undefined) | undefined;

  constructor(options: IngestOptions = {}) {
    super();
    this.refuse = options.refuse;
    this.log = options.log ?? noLog;
    const settings: ConnectionSettings = {
      timeout: options.timeout ?? 30_000,
      maxMessageSize: options.maxMessageSize ?? 0xffffff,
      chunkSize: options.chunkSize ?? 4096,
      window: options.window ?? 2_500_000,
    };
    const host = {
      settings,
      clock: options.clock ?? systemClock,
      log: this.log,
      publish: this.publish.bind(this),
      closed: (connection: IngestConnection) => void this.connections.delete(connection),
    };
    const accept = (socket: net.Socket) => void this.connections.add(new IngestConnection(socket, host));
    this.server =
      options.tls === undefined
        ? net.createServer(accept)
        : tls.createServer({ handshakeTimeout: settings.timeout, ...options.tls }, accept);
    this.server.on('connection', (socket: net.Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.server.maxConnections = options.maxConnections ?? 1000;
    this.server.on('tlsClientError', (error) => this.log.debug(`RTMP ingest: TLS: ${error.message}`));
  }

  /** Streams that are being published. */
  get streams(): readonly IngestStream[] {
    return [...this.live.values()];
  }

  /** The port; 0 before {@link listen}. */
  get port(): number {
    const address = this.server.address();
    return address === null || typeof address === 'string' ? 0 : address.port;
  }

  /**
   * Starts listening.
   *
   * @param port 0 for any free port
   * @param host default 127.0.0.1, so that other machines have no access unless you want it
   * @returns the port
   * @throws the errors of listening, for example EADDRINUSE
   */
  async listen(port: number, host = '127.0.0.1'): Promise<number> {
    this.server.listen(port, host);
    await once(this.server, 'listening');
    this.server.on('error', (error) => {
      // For example, there are no free file descriptors. Later connections may succeed.
      this.log.error(`RTMP ingest: ${error.message}`);
      if (this.listenerCount('error') > 0) this.emit('error', error);
    });
    return this.port;
  }

  /** Closes all connections, which ends their streams, and stops listening. */
  async close(): Promise<void> {
    const closed = this.server.listening ? once(this.server, 'close') : undefined;
    if (closed !== undefined) this.server.close();
    for (const connection of this.connections) connection.destroy('closed');
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private publish(connection: IngestConnection, app: string, name: string, streamId: number): IngestStream | Refusal {
    const { remoteAddress } = connection;
    const refusal = this.refuse?.({ app, name, remoteAddress });
    if (refusal !== undefined) return refusal;
    const key = `${app}/${name.replace(/\?.*$/s, '')}`;
    if (this.live.has(key)) {
      return { code: 'NetStream.Publish.BadName', description: 'a stream with this name is already published' };
    }
    const stream = new IngestStream({ app, name, streamId, remoteAddress }, connection);
    this.live.set(key, stream);
    stream.once('end', () => this.live.delete(key));
    this.emit('stream', stream);
    return stream;
  }
}
