import { messageOf } from '../../../base/errors.js';
import type { ServerEvent } from '../../../rtmp/server-event.js';
import type { TrackStream } from '../../tracks/track.js';
import type { ConnectionOpener } from '../connection-opener.js';
import type { ConnectionSet } from '../connection-set.js';
import { withTcUrl, type Destination } from '../destination.js';
import type { RtmpConnection } from '../rtmp-connection.js';
import type { SessionStreams } from '../session-streams.js';
import type { AnswerTimeouts } from './answer-timeouts.js';
import { ReconnectRequestLimit } from './reconnect-request-limit.js';
import { Replacement, type ReplacementOwner } from './replacement.js';
import type { ReplyObserver } from './reply-handler.js';
import { ServerRoute } from './server-route.js';

/** What the replacer needs from its session. */
export interface ReplacerOwner {
  readonly streams: SessionStreams;
  closeConnection(connection: RtmpConnection): void;
  /** The replacement stays unused because of `error`, and `current` is complete again. */
  keepsCurrent(current: RtmpConnection, unused: RtmpConnection | undefined, error: Error): void;
  /** `connection` is the current one from now on, along `route`. */
  replaced(connection: RtmpConnection, route: ServerRoute): void;
}

/**
 * Replaces the current connection of a session: at the server's request, or to move to another destination. There is at
 * most one {@link Replacement} at a time.
 */
export class ConnectionReplacer implements ReplacementOwner {
  private replacement: Replacement | undefined;
  private readonly requests: ReconnectRequestLimit;

  /** @param now monotonic ms */
  constructor(
    private readonly owner: ReplacerOwner,
    private readonly connections: ConnectionSet,
    private readonly opener: ConnectionOpener,
    private readonly timeouts: AnswerTimeouts,
    private readonly observer: ReplyObserver,
    private readonly now: () => number,
  ) {
    this.requests = new ReconnectRequestLimit(() => observer.log, now);
  }

  get connection(): RtmpConnection | undefined {
    return this.replacement?.connection;
  }

  /**
   * The server asks to reconnect, to `tcUrl` if it is defined.
   *
   * @param here the present destination
   */
  request(tcUrl: string | undefined, here: Destination): void {
    if (this.replacement !== undefined || !this.requests.allow()) return;
    const { log } = this.observer;
    const there = tcUrl === undefined ? here : withTcUrl(here, tcUrl);
    if (there === undefined) {
      log.warn('a request of the server to reconnect was ignored: its URL is invalid, or leaves TLS');
      return;
    }
    log.info(`the server asks to reconnect, to ${there.target.host} port ${there.target.port}`);
    // The server may close the connection at any time from now on.
    this.connections.current.encoder.keepWritten = true;
    this.open(there);
  }

  /**
   * Opens a connection to `destination` beside the current one.
   *
   * @param atOnce the streams move as soon as the server has accepted them, and not at a key frame: what the current
   *   server has not taken is sent again
   */
  open(destination: Destination, atOnce = false): void {
    this.replacement = new Replacement(this, new ServerRoute(destination), this.observer, this.now, atOnce);
    this.replacement.open(this.connections.current);
  }

  handle(connection: RtmpConnection, event: ServerEvent): void {
    this.replacement?.replies.handle(connection, event);
  }

  broken(connection: RtmpConnection, error: Error): void {
    this.replacement?.connectionBroken(connection, error);
  }

  idTaken(): void {
    this.replacement?.idTaken();
  }

  /** The replacement becomes the current connection, whether it is ready or not. */
  use(): void {
    const { replacement } = this;
    const connection = replacement?.connection;
    if (replacement === undefined || connection === undefined) return;
    this.forget();
    this.connections.current = connection;
    this.owner.replaced(connection, replacement.route);
  }

  /** Nothing is replaced any more. The connection, if there is one, stays open. */
  forget(): void {
    this.replacement = undefined;
    this.connections.replacement = undefined;
  }

  // Reports of the replacement: ReplacementOwner

  openConnection(destination: Destination): RtmpConnection | undefined {
    const connection = this.opener.create();
    this.connections.add(connection);
    this.connections.replacement = connection;
    if (!this.opener.open(connection, destination, this.connections.codecs)) return undefined;
    if (connection.isReady) this.createAll(connection);
    return connection;
  }

  createAll(connection: RtmpConnection): void {
    this.owner.streams.createAll(connection);
  }

  watchPublish(connection: RtmpConnection, stream: TrackStream): void {
    this.timeouts.publishSent(connection, stream);
  }

  closeConnection(connection: RtmpConnection): void {
    this.owner.closeConnection(connection);
  }

  moveToReplacement(stream: TrackStream, replacement: Replacement, connection: RtmpConnection): void {
    const old = this.connections.of(stream);
    if (this.connections.current !== connection && this.replacement === replacement) this.use();
    this.owner.streams.move([stream], connection, false);
    // Deferred, because the replaced connection is writing at this moment.
    setImmediate(() => {
      // A server that asked for the new connection knows what became of the stream; another destination does not.
      if (old?.isElsewhere(connection) === true) old.removeStream(stream);
      this.connections.finishUnused();
    });
  }

  replacementReady(replacement: Replacement): void {
    if (this.replacement !== replacement) return;
    this.owner.closeConnection(this.connections.current);
    this.use();
    this.owner.streams.move(this.connections.streams, this.connections.current, true);
  }

  replacementFailed(replacement: Replacement, error: Error): void {
    this.observer.log.warn(`the replacement connection failed: ${messageOf(error)}`);
    const { current } = this.connections;
    const { connection } = replacement;
    current.encoder.moveFirst = undefined;
    if (this.replacement === replacement) this.forget();
    this.owner.keepsCurrent(current, connection, error);
    if (connection !== undefined) this.owner.closeConnection(connection);
  }
}
