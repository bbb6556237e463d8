import { messageOf } from '../../base/errors.js';
import { PublishError } from '../../rtmp/publish-error.js';
import type { PublisherState } from '../../rtmp/network/publisher.js';
import type { ServerEvent } from '../../rtmp/server-event.js';
import type { Refusal } from '../../rtmp/server-reply.js';
import { reasonOf, type NotificationReason } from '../report/close-reason.js';
import type { UpstreamEvent } from '../report/upstream-event.js';
import type { UpstreamState } from '../report/status.js';
import type { TrackStream } from '../tracks/track.js';
import { AnswerTimeouts, type AnswerTimeoutOwner } from './server/answer-timeouts.js';
import { ConnectionOpener } from './connection-opener.js';
import { ConnectionSet } from './connection-set.js';
import { Delivery, type DeliveryOwner } from './delivery/delivery.js';
import type { AttemptTime, PastFailure } from '../destination/destination-backoff.js';
import type { Destination } from './destination.js';
import { ReconnectPolicy } from './reconnect-policy.js';
import { ConnectionReplacer, type ReplacerOwner } from './server/connection-replacer.js';
import { ReplyHandler, type ReplyObserver, type ReplyTarget } from './server/reply-handler.js';
import type { ConnectionOwner, RtmpConnection } from './rtmp-connection.js';
import { ServerRoute } from './server/server-route.js';
import { SessionStreams } from './session-streams.js';
import { Turns, type SessionOptions } from './turns.js';

/** What a session needs from its upstream. */
export interface SessionOwner extends ReplyObserver, DeliveryOwner {
  /** True if there is no sender, and none is likely to return. */
  readonly isDeserted: boolean;
  /** The server refuses a stream. Other streams may continue. */
  streamRejected(stream: TrackStream, message: string): void;
  /**
   * `stream` needs its own session: the server gave it the id of another stream, or refuses it for now. `refusal`: the
   * words of the server.
   */
  streamNeedsSession(stream: TrackStream, refusal?: string): void;
  /** Reports an event of the upstream. */
  report(event: UpstreamEvent): void;
  /**
   * The connection is opened again. `message`: what was wrong with the last one, if anything was. `lost`: the streams
   * that were on it.
   */
  reconnecting(reason: NotificationReason, message?: string, lost?: readonly TrackStream[]): void;
  /** The destination is closed off: the session waits for its turn. */
  waiting(failure: PastFailure): void;
  sessionClosed(session: PublishSession): void;
}

/**
 * - `new`: not opened yet;
 * - `open`: there is a connection, or an attempt to open one;
 * - `waiting`: for its turn to connect;
 * - `closing`: no more frames come, and encoded bytes are sent;
 * - `closed`
 */
type Phase = 'new' | 'open' | 'waiting' | 'closing' | 'closed';

/**
 * Publishes an upstream to one server. The RTMP connection may break and be opened again, be redirected, or be replaced
 * at the server's request, while streams and tracks stay.
 */
export class PublishSession implements ConnectionOwner, ReplyTarget, ReplacerOwner, AnswerTimeoutOwner {
  readonly connections: ConnectionSet;
  readonly streams: SessionStreams;
  /** How often the connection was opened again. */
  reconnects = 0;
  /** True once the server has shown that it supports only one stream per connection. */
  oneStream = false;
  private phase: Phase = 'new';
  private readonly now: () => number;
  private readonly route: ServerRoute;
  private readonly replies: ReplyHandler;
  private readonly reconnectPolicy: ReconnectPolicy;
  private readonly delivery: Delivery;
  private readonly timeouts: AnswerTimeouts;
  private readonly opener: ConnectionOpener;
  readonly turns: Turns;
  private readonly replacer: ConnectionReplacer;

  /**
   * @param origin where every series of attempts begins
   * @param streamName the stream that it is made for
   */
  constructor(
    private readonly options: SessionOptions,
    origin: Destination,
    streamName: string,
    private readonly owner: SessionOwner,
  ) {
    const { settings, clock } = options;
    this.now = () => clock.now();
    this.route = new ServerRoute(origin);
    this.replies = new ReplyHandler(this, owner, this.route, this.now);
    this.reconnectPolicy = new ReconnectPolicy(settings.outReconnects, this.now);
    this.turns = new Turns(options, origin, streamName, (text) => owner.mask(text));
    this.delivery = new Delivery(options, (stream) => this.connections.of(stream), owner);
    this.timeouts = new AnswerTimeouts(clock, settings, this);
    this.opener = new ConnectionOpener(options, this, this.delivery, this.timeouts);
    this.connections = new ConnectionSet(this.opener.create());
    this.streams = new SessionStreams(this.connections, this.opener, this.delivery, owner, this.turns, this.now);
    const { connections, opener, timeouts } = this;
    this.replacer = new ConnectionReplacer(this, connections, opener, timeouts, owner, origin, this.now);
  }

  /** The state that the API shows. */
  get state(): UpstreamState {
    switch (this.phase) {
      case 'new':
        return 'resolving';
      case 'open': {
        const { state: connected = 'resolving', current } = this.connections;
        // Until the server has accepted a stream, the session does not publish.
        const state = connected === 'publishing' && !current.isLive ? 'handshaking' : connected;
        // For an observer, all attempts to restore a connection are one state.
        const again = this.reconnectPolicy.isRetrying && state !== 'publishing' && state !== 'closing';
        return again ? 'reconnecting' : state;
      }
      case 'waiting':
        return this.reconnectPolicy.isRetrying ? 'reconnecting' : 'waiting';
      default:
        return 'closing';
    }
  }

  /** ms: the age of the oldest frame that its server has not taken yet; 0 if there is none. */
  get lagMs(): number {
    return this.connections.lagMs(this.now());
  }

  /** The time of the next attempt at its destination while it waits; undefined while it does not. */
  get nextAttempt(): AttemptTime | undefined {
    return this.turns.next;
  }

  /** True if it has never published. */
  get isUnpublished(): boolean {
    return !this.turns.everPublished;
  }

  /** True if the stream of that name has failed a moment ago, here or in another upstream. */
  isClosedOff(streamName: string): boolean {
    return this.turns.isClosedOff(streamName);
  }

  /** Begins to connect, or to wait for its turn. `codecs`: the codecs of the expected tracks. */
  open(codecs: readonly number[]): void {
    this.waitForTurn(codecs);
    if (this.phase !== 'waiting') return;
    this.connections.current.merger.hold(true);
    const { lastFailure } = this.turns;
    if (lastFailure !== undefined) this.owner.waiting(lastFailure);
  }

  /** Nobody sends any more: it does not wait any longer. */
  deserted(): void {
    const { lastFailure } = this.turns;
    if (this.phase !== 'waiting' || lastFailure === undefined) return;
    this.owner.fail(lastFailure.reason, lastFailure.message);
  }

  private waitForTurn(codecs: readonly number[]): void {
    this.phase = 'waiting';
    this.turns.request(() => {
      const known = this.connections.codecs;
      this.connect(known.length > 0 ? known : codecs);
    });
  }

  private connect(codecs: readonly number[]): void {
    const { current } = this.connections;
    this.phase = 'open';
    if (this.opener.open(current, this.route.next, codecs) && current.isReady) this.streams.ready(current);
  }

  /**
   * From now on, frames do not wait for their time. Queued frames are sent in order, as fast as the server takes them.
   */
  stopWaiting(): void {
    this.opener.waitingStopped = true;
    this.connections.stopWaiting();
  }

  /** No more frames will come. Encoded bytes are sent, then the connection is closed. */
  finish(): void {
    if (this.phase === 'closing' || this.phase === 'closed') return;
    if (this.phase === 'waiting') this.turns.leave();
    this.phase = 'closing';
    if (this.replacer.connection !== undefined) this.closeConnection(this.replacer.connection);
    this.replacer.forget();
    const { current } = this.connections;
    if (current.publisher === undefined) this.closeConnection(current);
    for (const connection of this.connections) connection.finish();
    this.closeIfFinished();
  }

  destroy(): void {
    this.phase = 'closed';
    this.turns.leave();
    this.timeouts.close();
    this.delivery.stop();
    this.streams.close();
    this.replacer.forget();
    for (const connection of this.connections) this.closeConnection(connection);
  }

  // Reports of the connections: ConnectionOwner

  connectionState(connection: RtmpConnection, state: PublisherState): void {
    if (state === 'publishing' && connection === this.replacer.connection) {
      this.timeouts.replacementConnectSent(connection);
    }
    // A handshake may end while the session is closing already.
    if (connection !== this.connections.current || this.phase !== 'open') return;
    this.owner.log.debug(`RTMP connection: ${state}`);
    if (state !== 'publishing') return;
    this.timeouts.connectSent(connection);
    this.turns.handshakeDone(connection);
    connection.merger.hold(false);
  }

  connectionFinished(connection: RtmpConnection): void {
    this.closeConnection(connection);
    this.closeIfFinished();
  }

  serverEvent(connection: RtmpConnection, event: ServerEvent): void {
    if (this.phase === 'closed') return;
    if (connection === this.connections.current) this.replies.handle(connection, event);
    else if (connection === this.replacer.connection) this.replacer.handle(connection, event);
    if (event.kind === 'ack') this.delivery.acknowledged();
  }

  connectionBroken(connection: RtmpConnection, error: Error): void {
    if (this.phase === 'closed') return;
    if (connection === this.connections.current) {
      this.currentBroken(connection, error);
    } else if (connection === this.replacer.connection) {
      this.replacer.broken(connection, error);
    } else {
      this.owner.log.warn(`the replaced connection ended early: ${messageOf(error)}`);
      this.closeConnection(connection);
      this.streams.move(this.connections.streamsOn(connection), this.connections.current, true);
      this.closeIfFinished();
    }
  }

  // Answers of the server: ReplyTarget, AnswerTimeoutOwner and ReplacerOwner

  accepted(connection: RtmpConnection): void {
    const wasReady = connection.isReady;
    connection.connectAnswer = 'accepted';
    this.timeouts.connectAnswered(connection);
    if (!wasReady) this.streams.ready(connection);
    connection.askForAcks();
    this.settled(connection);
  }

  connectUnanswered(connection: RtmpConnection): void {
    const wasReady = connection.isReady;
    connection.connectAnswer = 'silent';
    if (!wasReady) this.streams.ready(connection);
    this.settled(connection);
  }

  published(connection: RtmpConnection, stream: TrackStream): void {
    this.timeouts.publishSent(connection, stream);
  }

  live(connection: RtmpConnection, stream: TrackStream): void {
    this.reconnectPolicy.published();
    this.turns.published();
    this.streams.announceNow(stream);
    this.connections.updateLive(connection);
  }

  idTaken(connection: RtmpConnection, stream: TrackStream): void {
    this.oneStream = true;
    this.streams.removeStream(stream);
    connection.merger.flush();
    this.owner.streamNeedsSession(stream);
  }

  unanswered(connection: RtmpConnection, command: string, timeout: number): void {
    this.connectionBroken(connection, new PublishError('recv', `no answer to ${command} in ${timeout} ms`));
  }

  furtherStreamUnanswered(connection: RtmpConnection, stream: TrackStream): void {
    if (connection === this.connections.current) this.idTaken(connection, stream);
    else this.replacer.idTaken();
  }

  connectAgain(): void {
    this.renewCurrent();
    this.connect(this.connections.codecs);
  }

  rejected(refusal: Refusal, error: PublishError): void {
    const { current } = this.connections;
    if (!this.reconnectPolicy.isFinal(refusal)) {
      this.currentBroken(current, error);
      return;
    }
    this.turns.failed(current, error);
    this.owner.fail(reasonOf(error), messageOf(error));
  }

  streamRejected(connection: RtmpConnection, stream: TrackStream, refusal: Refusal, error: PublishError): void {
    if (this.reconnectPolicy.isFinal(refusal) || this.options.settings.outReconnects === 0) {
      if (connection.streams.size === 1) this.turns.failed(connection, error);
      this.turns.streamFailed(stream.name, error);
      this.owner.streamRejected(stream, messageOf(error));
    } else if (connection.streams.size === 1) {
      this.currentBroken(connection, error);
    } else {
      this.retryAlone(connection, stream, error);
    }
  }

  reconnectRequested(tcUrl: string | undefined): void {
    // Without senders, redirects of servers must not keep the session alive.
    if (this.phase === 'open' && !this.owner.isDeserted) this.replacer.request(tcUrl, this.route.here);
  }

  closeConnection(connection: RtmpConnection): void {
    this.connections.remove(connection);
    connection.kill();
    this.delivery.connectionLost(connection, this.connections.tracksOn(connection));
  }

  keepsCurrent(current: RtmpConnection): void {
    if (current.isSettled) this.settled(current);
  }

  replaced(connection: RtmpConnection, route: ServerRoute): void {
    this.route.continue(route);
    this.timeouts.stop();
    if (connection.isSettled) this.settled(connection);
    else if (connection.state === 'publishing') this.timeouts.connectSent(connection);
    this.reconnects++;
    this.owner.reconnecting('reconnect_request');
  }

  /**
   * The current connection is lost. A replacement that is being opened becomes the current one, or a new attempt is
   * made.
   */
  private currentBroken(connection: RtmpConnection, error: Error): void {
    if (this.replacer.connection !== undefined) {
      this.owner.log.warn(`the connection broke before its replacement was ready: ${messageOf(error)}`);
      this.closeConnection(connection);
      this.replacer.use();
      this.streams.move(this.connections.streams, this.connections.current, true);
      return;
    }
    const gone = this.phase === 'closing' || this.owner.isDeserted;
    this.turns.failed(connection, error, this.phase === 'closing');
    if (gone || !this.reconnectPolicy.tryAgain(connection, error)) {
      this.owner.fail(reasonOf(error), messageOf(error));
      return;
    }
    this.owner.log.warn(`RTMP connection broken: ${messageOf(error)}; next attempt in ${this.turns.delay} ms`);
    this.reconnects++;
    this.route.reset();
    this.phase = 'waiting';
    this.renewCurrent();
    this.owner.reconnecting(reasonOf(error), messageOf(error), this.connections.streams);
    if (this.phase !== 'waiting') return;
    this.waitForTurn([]);
    this.delivery.tracksMoved();
  }

  /** connect is answered, or counts as unanswered for good. From now on, frames are kept only for a reconnect. */
  private settled(connection: RtmpConnection): void {
    this.delivery.connectAnswered(connection, this.connections.tracksOn(connection));
    this.connections.updateLive(connection);
  }

  /**
   * Closes all connections. Tracks, and frames that may not have arrived, move to a new connection that is not open
   * yet.
   */
  private renewCurrent(): void {
    this.timeouts.stop();
    this.replacer.forget();
    for (const connection of this.connections) this.closeConnection(connection);
    const fresh = this.opener.create();
    this.connections.add(fresh);
    this.connections.current = fresh;
    // No frame is encoded before the connection is open: if this attempt fails too, the encoding would have to be
    // undone.
    fresh.merger.hold(true);
    this.streams.move(this.connections.streams, fresh, true);
  }

  /**
   * The server refuses one of several streams for now. The stream tries again with its own session, and the others
   * continue.
   */
  private retryAlone(connection: RtmpConnection, stream: TrackStream, error: PublishError): void {
    this.turns.streamFailed(stream.name, error);
    if (!this.reconnectPolicy.tryAgain(connection, error)) {
      this.owner.streamRejected(stream, messageOf(error));
      return;
    }
    this.owner.log.warn(messageOf(error));
    this.streams.removeStream(stream);
    connection.merger.flush();
    this.owner.streamNeedsSession(stream, messageOf(error));
  }

  private closeIfFinished(): void {
    if (this.phase !== 'closing' || !this.connections.isEmpty) return;
    this.destroy();
    this.owner.sessionClosed(this);
  }
}
