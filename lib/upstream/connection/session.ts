import { messageOf } from '../../base/errors.js';
import { PublishError } from '../../rtmp/publish-error.js';
import type { PublisherState } from '../../rtmp/network/publisher.js';
import type { ServerEvent } from '../../rtmp/server-event.js';
import type { Refusal } from '../../rtmp/server-reply.js';
import { connectionText, reasonOf } from '../report/close-reason.js';
import type { UpstreamState } from '../report/status.js';
import type { TrackStream } from '../tracks/track.js';
import { AnswerTimeouts, type AnswerTimeoutOwner } from './server/answer-timeouts.js';
import { ConnectionOpener } from './connection-opener.js';
import { ConnectionSet } from './connection-set.js';
import { Delivery } from './delivery/delivery.js';
import type { Destination } from './destination.js';
import { Failover, type FailoverOwner } from './failover/failover.js';
import { SessionDestinations } from './failover/session-destinations.js';
import { ConnectionReplacer, type ReplacerOwner } from './server/connection-replacer.js';
import { ReplyHandler, type ReplyTarget } from './server/reply-handler.js';
import type { ConnectionOwner, RtmpConnection } from './rtmp-connection.js';
import { ServerRoute } from './server/server-route.js';
import { SessionStreams } from './session-streams.js';
import type { SessionObserver } from './session-observer.js';
import { sessionState, type SessionPhase } from './session-state.js';
import type { SessionOptions } from './turns.js';

/** What a session needs from its upstream. */
export interface SessionOwner extends SessionObserver {
  sessionClosed(session: PublishSession): void;
}

/**
 * Publishes an upstream to one server. The RTMP connection may break and be opened again, there or at a backup, be
 * redirected, or be replaced at the server's request, while streams and tracks stay.
 */
export class PublishSession implements ConnectionOwner, ReplyTarget, ReplacerOwner, AnswerTimeoutOwner, FailoverOwner {
  readonly connections: ConnectionSet;
  readonly streams: SessionStreams;
  readonly destinations: SessionDestinations;
  readonly failover: Failover;
  /** How often the connection was opened again. */
  reconnects = 0;
  /** True once the server has shown that it supports only one stream per connection. */
  oneStream = false;
  private phase: SessionPhase = 'new';
  private retired = false;
  private readonly now: () => number;
  private readonly route: ServerRoute;
  private readonly replies: ReplyHandler;
  private readonly delivery: Delivery;
  private readonly timeouts: AnswerTimeouts;
  private readonly opener: ConnectionOpener;
  private readonly replacer: ConnectionReplacer;

  /**
   * @param destinations the primary one, then its backups
   * @param names of the stream that it is made for, at each destination
   * @param first index of the destination to begin with
   */
  constructor(
    options: SessionOptions,
    destinations: readonly Destination[],
    names: readonly string[],
    private readonly owner: SessionOwner,
    first = 0,
  ) {
    const { settings, clock } = options;
    this.now = () => clock.now();
    this.destinations = new SessionDestinations(options, destinations, names, (text) => owner.mask(text), first);
    this.route = new ServerRoute(this.destinations.current.destination);
    this.replies = new ReplyHandler(this, owner, this.route, this.now);
    this.delivery = new Delivery(options, (stream) => this.connections.of(stream), owner);
    this.timeouts = new AnswerTimeouts(clock, settings, this);
    this.opener = new ConnectionOpener(options, this, this.delivery, this.timeouts);
    this.connections = new ConnectionSet(this.opener.create());
    this.streams = new SessionStreams(this.connections, this.opener, this.delivery, owner, this.destinations, this.now);
    const { connections, opener, timeouts } = this;
    this.replacer = new ConnectionReplacer(this, connections, opener, timeouts, owner, this.now);
    this.failover = new Failover(clock, settings, this.destinations, this.replacer, this, owner);
  }

  /** The state that the API shows. */
  get state(): UpstreamState {
    return sessionState(this.phase, this.connections, this.destinations.isRetrying);
  }

  get lagMs(): number {
    return this.connections.lagMs(this.now());
  }

  /** The destination that is in use, or is tried. */
  get destination(): Destination {
    return this.destinations.current.destination;
  }

  /** Begins to connect, or to wait for its turn. `codecs`: the codecs of the expected tracks. */
  open(codecs: readonly number[]): void {
    this.waitForTurn(codecs);
    if (this.phase !== 'waiting') return;
    this.connections.current.merger.hold(true);
    const { lastFailure } = this.destinations;
    if (lastFailure !== undefined) this.owner.waiting(lastFailure);
  }

  /** Nobody sends any more: it does not wait any longer. */
  deserted(): void {
    const { lastFailure } = this.destinations;
    if (this.phase !== 'waiting' || lastFailure === undefined) return;
    this.owner.fail(lastFailure.reason, lastFailure.message);
  }

  private waitForTurn(codecs: readonly number[]): void {
    this.phase = 'waiting';
    this.destinations.request(() => {
      this.route.begin(this.destination);
      const known = this.connections.codecs;
      this.connect(known.length > 0 ? known : codecs);
    });
  }

  private connect(codecs: readonly number[]): void {
    const { current } = this.connections;
    this.phase = 'open';
    this.failover.attemptBegins(current);
    if (this.opener.open(current, this.route.next, codecs) && current.isReady) this.streams.ready(current);
  }

  /** From now on, frames do not wait for their time. Queued ones are sent as fast as the server takes them. */
  stopWaiting(): void {
    this.opener.waitingStopped = true;
    this.connections.stopWaiting();
  }

  /**
   * No more frames will come. Encoded bytes are sent, then the connection is closed.
   *
   * @param retired the streams have left for another session: if the rest cannot be sent, only this session ends
   */
  finish(retired = false): void {
    this.retired ||= retired;
    if (this.phase === 'closing' || this.phase === 'closed') return;
    if (this.phase === 'waiting') this.destinations.leave();
    this.phase = 'closing';
    this.failover.ended();
    if (this.replacer.connection !== undefined) this.closeConnection(this.replacer.connection);
    this.replacer.forget();
    const { current } = this.connections;
    if (current.publisher === undefined) this.closeConnection(current);
    for (const connection of this.connections) connection.finish();
    this.closeIfFinished();
  }

  destroy(): void {
    this.phase = 'closed';
    this.failover.ended();
    this.destinations.leave();
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
    this.destinations.current.turns.handshakeDone(connection);
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
    this.failover.inUse();
  }

  published(connection: RtmpConnection, stream: TrackStream): void {
    this.timeouts.publishSent(connection, stream);
  }

  live(connection: RtmpConnection, stream: TrackStream): void {
    this.destinations.published();
    this.failover.inUse();
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
    const isFinal = this.destinations.current.policy.isFinal(refusal);
    this.currentBroken(this.connections.current, error, isFinal);
  }

  streamRejected(connection: RtmpConnection, stream: TrackStream, refusal: Refusal, error: PublishError): void {
    const isFinal = this.destinations.current.policy.isFinal(refusal);
    if (connection.streams.size > 1) this.streams.oneRejected(connection, stream, isFinal, error);
    else this.currentBroken(connection, error, isFinal, stream);
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

  keepsCurrent(current: RtmpConnection, unused: RtmpConnection | undefined, error: Error): void {
    if (current.isSettled) this.settled(current);
    this.failover.probeFailed(unused, error);
  }

  replaced(connection: RtmpConnection, route: ServerRoute): void {
    const destination = this.failover.takeOver();
    if (destination !== undefined) this.route.begin(destination);
    this.route.continue(route);
    this.timeouts.stop();
    if (connection.isSettled) this.settled(connection);
    else if (connection.state === 'publishing') this.timeouts.connectSent(connection);
    if (destination === undefined) {
      this.reconnects++;
      this.owner.reconnecting('reconnect_request');
    } else this.tookOver(connection);
  }

  get canProbe(): boolean {
    const { current } = this.connections;
    const free = this.phase === 'open' && this.replacer.connection === undefined;
    return free && current.isLive && !this.owner.isDeserted;
  }

  /** The connection to another destination is the current one, accepted there or not. */
  private tookOver(connection: RtmpConnection): void {
    if (connection.isLive) {
      this.destinations.published();
      this.failover.inUse();
      return;
    }
    this.failover.attemptBegins(connection);
    if (connection.state === 'publishing') this.destinations.current.turns.handshakeDone(connection);
  }

  /**
   * The current connection is lost. A replacement that is being opened becomes the current one, or a new attempt is
   * made, if one is allowed at any destination. Otherwise the upstream ends, or `rejected`, the stream that the server
   * refuses.
   *
   * @param isFinal a further attempt at this destination is useless
   */
  private currentBroken(connection: RtmpConnection, error: Error, isFinal = false, rejected?: TrackStream): void {
    if (this.retired) {
      this.owner.log.info(`an RTMP connection that is not needed any more ended early: ${messageOf(error)}`);
      this.connectionFinished(connection);
      return;
    }
    const closing = this.phase === 'closing';
    if (this.replacer.connection !== undefined) {
      this.owner.log.warn(`the connection broke before its replacement was ready: ${messageOf(error)}`);
      if (this.failover.isProbing) {
        this.destinations.failed(connection, error, { isFinal });
        this.reconnecting(error);
      }
      this.closeConnection(connection);
      this.replacer.use();
      this.streams.move(this.connections.streams, this.connections.current, true);
      return;
    }
    const gone = closing || this.owner.isDeserted;
    const again = this.destinations.failed(connection, error, { closing, isFinal });
    if (gone || !again) {
      this.giveUp(error, rejected);
      return;
    }
    this.owner.log.warn(`${connectionText(error)}; ${this.destinations.plan}`);
    this.phase = 'waiting';
    this.renewCurrent();
    this.reconnecting(error);
    if (this.phase !== 'waiting') return;
    this.waitForTurn([]);
    this.delivery.tracksMoved();
  }

  private reconnecting(error: Error): void {
    this.reconnects++;
    this.owner.reconnecting(reasonOf(error), messageOf(error), this.connections.streams);
  }

  private giveUp(error: Error, rejected: TrackStream | undefined): void {
    if (rejected !== undefined) {
      this.destinations.streamFailed(rejected, error);
      this.owner.streamRejected(rejected, messageOf(error));
    } else this.owner.fail(reasonOf(error), messageOf(error));
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
    this.failover.ended();
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

  private closeIfFinished(): void {
    if (this.phase !== 'closing' || !this.connections.isEmpty) return;
    this.destroy();
    this.owner.sessionClosed(this);
  }
}
