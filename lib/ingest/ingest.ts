import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { systemClock, type Clock } from '../time/clock.js';
import { noLog, type Logger } from '../base/logger.js';
import { PeerLog } from '../net/peer-log.js';
import { IngestConnection, type ConnectionSettings } from './connection.js';
import { IngestStream, type PublisherFields, type Refusal } from './ingest-stream.js';
import type { PublishCommand } from './session.js';

export { IngestStream } from './ingest-stream.js';
export type { PublisherFields, EndReason, IngestMessage, Refusal } from './ingest-stream.js';

/** A request to publish; all fields are untrusted. */
export interface PublishRequest {
  readonly app: string;
  readonly name: string;
  readonly remoteAddress: string;
}

/** A request to connect; all fields are untrusted. */
export interface ConnectRequest {
  readonly app: string;
  readonly connect: PublisherFields;
  readonly remoteAddress: string;
  /** Number of the connection, from 1. */
  readonly connection: number;
}

/** Lets a stream be published under another name, for example without a secret that its name contains. */
export interface Renamed {
  readonly name: string;
  /** Default: the app stays the same. */
  readonly app?: string;
}

export interface IngestOptions {
  /** Listens for rtmps instead, with this key and certificate. */
  readonly tls?: tls.TlsOptions;
  /**
   * Returns a refusal to refuse a publish, or another name for the stream. While a promise is pending, nothing more of
   * the connection is read; if it is rejected, the connection is closed. Default: every publish is accepted.
   */
  readonly refuse?: (request: PublishRequest) => Refusal | Renamed | undefined | Promise<Refusal | Renamed | undefined>;
  /** Returns a refusal to refuse a connection, as `refuse` does. Default: every connect is accepted. */
  readonly refuseConnect?: (request: ConnectRequest) => Refusal | undefined | Promise<Refusal | undefined>;
  /**
   * Close the connection of a publisher that was refused, once it has its answer: most encoders wait for ever
   * otherwise. Default false.
   */
  readonly closeRefused?: boolean;
  /**
   * Where a name can be published once at a time: in its app, or in all apps. Default `app`.
   */
  readonly uniqueIn?: 'app' | 'all';
  /**
   * ms. A name belongs to its publisher: a second one is refused. If nothing came from the first one for this long, the
   * second one replaces it: the encoder has lost its connection and is back. Default 3000; Infinity: never.
   */
  readonly replaceAfter?: number;
  /**
   * ms that handshake and connect may take together, and for which a connection may be silent or publish nothing.
   * Default 30000.
   */
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

/** What is published under a name, and on which connection. */
interface Live {
  readonly stream: IngestStream;
  readonly connection: IngestConnection;
}

/**
 * An RTMP server for publishers. It supports `publish`, with several streams on a connection, whose ids count from 1.
 * It does not support `play`. A name can be published by one publisher at a time.
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
  private readonly live = new Map<string, Live>();
  private readonly log: Logger;
  private readonly faults: PeerLog;
  private lastConnection = 0;

  constructor(private readonly options: IngestOptions = {}) {
    super();
    this.log = options.log ?? noLog;
    const settings: ConnectionSettings = {
      timeout: options.timeout ?? 30_000,
      maxMessageSize: options.maxMessageSize ?? 0xffffff,
      chunkSize: options.chunkSize ?? 4096,
      window: options.window ?? 2_500_000,
      closeRefused: options.closeRefused ?? false,
    };
    const { clock = systemClock } = options;
    this.faults = new PeerLog(clock);
    const host = {
      settings,
      clock,
      log: this.log,
      connect: this.connect.bind(this),
      publish: this.publish.bind(this),
      cut: (connection: IngestConnection, why: string) => this.cut(connection, why),
      closed: (connection: IngestConnection) => void this.connections.delete(connection),
    };
    const accept = (socket: net.Socket) =>
      void this.connections.add(new IngestConnection(socket, host, ++this.lastConnection));
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
    return [...this.live.values()].map(({ stream }) => stream);
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

  /** Replaces key and certificate for new connections. Only for an ingest that was created with `tls`. */
  setTls(options: tls.TlsOptions): void {
    if (this.server instanceof tls.Server) this.server.setSecureContext(options);
  }

  /** Closes all connections, which ends their streams, and stops listening. */
  async close(): Promise<void> {
    const closed = this.server.listening ? once(this.server, 'close') : undefined;
    if (closed !== undefined) this.server.close();
    for (const connection of this.connections) connection.destroy('closed');
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private connect(
    connection: IngestConnection,
    app: string,
    connect: PublisherFields,
  ): Refusal | undefined | Promise<Refusal | undefined> {
    const { remoteAddress, id } = connection;
    return this.options.refuseConnect?.({ app, connect, remoteAddress, connection: id });
  }

  private publish(
    connection: IngestConnection,
    request: PublishCommand,
  ): IngestStream | Refusal | Promise<IngestStream | Refusal> {
    const { app, name } = request;
    const verdict = this.options.refuse?.({ app, name, remoteAddress: connection.remoteAddress });
    if (verdict instanceof Promise) return verdict.then((known) => this.decided(connection, request, known));
    return this.decided(connection, request, verdict);
  }

  private decided(
    connection: IngestConnection,
    request: PublishCommand,
    verdict: Refusal | Renamed | undefined,
  ): IngestStream | Refusal {
    if (connection.isEnded) return { code: 'NetStream.Publish.Failed', description: 'the connection is closed' };
    if (verdict !== undefined && 'code' in verdict) return verdict;
    const { name, app = request.app } = verdict ?? request;
    const bare = name.replace(/\?.*$/s, '');
    const key = this.options.uniqueIn === 'all' ? bare : `${app}/${bare}`;
    const before = this.live.get(key);
    if (before !== undefined && !this.replace(key, before)) {
      return { code: 'NetStream.Publish.BadName', description: 'a stream with this name is already published' };
    }
    const { remoteAddress, id } = connection;
    const stream = new IngestStream({ ...request, app, name, remoteAddress, connection: id }, connection);
    this.live.set(key, { stream, connection });
    stream.once('end', () => {
      if (this.live.get(key)?.stream === stream) this.live.delete(key);
    });
    this.emit('stream', stream);
    return stream;
  }

  private cut({ remoteAddress }: IngestConnection, why: string): void {
    const address = remoteAddress.replace(/:\d+$/, '');
    this.faults.warn(address, this.log, `RTMP ingest: connection cut: ${why}`, { peer: remoteAddress });
  }

  /** Ends the publisher of a name if it is silent; false if it is not. */
  private replace(key: string, { connection, stream }: Live): boolean {
    const silent = connection.silentFor;
    if (silent < (this.options.replaceAfter ?? 3000)) return false;
    this.log.warn(
      `RTMP ingest: a new publisher replaces the one of ${stream.app}, which was silent for ${Math.round(silent)} ms`,
      { peer: connection.remoteAddress },
    );
    this.live.delete(key);
    connection.destroy('replaced');
    return true;
  }
}
