import type { Timer } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Frame } from '../../media/frame.js';
import { PublishError } from '../../rtmp/publish-error.js';
import type { PublisherState } from '../../rtmp/publisher.js';
import type { ServerEvent } from '../../rtmp/server-event.js';
import { reasonOf, type NotificationReason } from '../report/close-reason.js';
import type { UpstreamState } from '../report/status.js';
import type { StreamOutlet, Track, TrackStream } from '../tracks/track.js';
import { AnswerTimeouts, type AnswerTimeoutOwner } from './answer-timeouts.js';
import { ConnectionOpener } from './connection-opener.js';
import { ConnectionSet } from './connection-set.js';
import { Delivery, type DeliveryOwner } from './delivery.js';
import { withTcUrl, type Destination } from './destination.js';
import { ReconnectPolicy } from './reconnect-policy.js';
import { ReconnectRequestLimit } from './reconnect-request-limit.js';
import { Replacement, type ReplacementOwner } from './replacement.js';
import { ReplyHandler, type ReplyObserver, type ReplyTarget } from './reply-handler.js';
import type { ConnectionOwner, RtmpConnection, RtmpConnectionOptions } from './rtmp-connection.js';
import { ServerRoute } from './server-route.js';
import { announceStream } from './stream-announcer.js';

/** What a session asks of the upstream that it belongs to. */
export interface SessionOwner extends ReplyObserver, DeliveryOwner {
  /** True if nobody sends any more, and nobody is likely to return. */
  readonly isDeserted: boolean;
  /** The server refuses a stream; others may continue. */
  streamRejected(stream: TrackStream, message: string): void;
  /** The server gave `stream` the id of another one: it needs a session of its own. */
  streamNeedsSession(stream: TrackStream): void;
  /** The connection is made again. `message`: what was wrong with the last one, if anything was. */
  reconnecting(reason: NotificationReason, message?: string): void;
  sessionClosed(session: PublishSession): void;
}

/**
 * - `new`: not opened yet;
 * - `open`: there is a connection, or an attempt to make one;
 * - `waiting`: for the next attempt;
 * - `closing`: nothing more comes, what is encoded is sent;
 * - `closed`
 */
type Phase = 'new' | 'open' | 'waiting' | 'closing' | 'closed';

/**
 * An upstream's publishing to one server: an RTMP connection that may break and be made again, be redirected, or be replaced
 * at the server's request, while streams and tracks stay.
 */
export class PublishSession
  implements StreamOutlet, ConnectionOwner, ReplyTarget, ReplacementOwner, AnswerTimeoutOwner
{
  readonly connections: ConnectionSet;
  /** How often the connection was made again. */
  reconnects = 0;
  /** True once the server has shown that it knows one stream a connection. */
  oneStream = false;
  private phase: Phase = 'new';
  private replacement: Replacement | undefined;
  private readonly now: () => number;
  private readonly route: ServerRoute;
  private readonly replies: ReplyHandler;
  private readonly reconnectRequests: ReconnectRequestLimit;
  private readonly reconnectPolicy: ReconnectPolicy;
  private readonly delivery: Delivery;
  private readonly timeouts: AnswerTimeouts;
  private readonly assumeIds: boolean;
  private readonly opener: ConnectionOpener;
  private retryTimer: Timer | undefined;

  /** @param origin where every series of attempts begins */
  constructor(
    private readonly options: RtmpConnectionOptions,
    private readonly origin: Destination,
    private readonly owner: SessionOwner,
  ) {
    const { settings, clock } = options;
    this.now = () => clock.now();
    this.assumeIds = settings.outStreamId === 'assume';
    this.route = new ServerRoute(origin);
    this.replies = new ReplyHandler(this, owner, this.route, this.assumeIds, this.now);
    this.reconnectRequests = new ReconnectRequestLimit(() => owner.log, this.now);
    this.reconnectPolicy = new ReconnectPolicy(settings.outReconnectInterval, settings.outReconnects, this.now);
    this.delivery = new Delivery(options, (stream) => this.connections.of(stream), owner);
    this.timeouts = new AnswerTimeouts(clock, settings.outTimeout, this);
    this.opener = new ConnectionOpener(options, this, this.delivery, this.timeouts, this.assumeIds);
    this.connections = new ConnectionSet(this.opener.create());
  }

  /** What the API shows. */
  get state(): UpstreamState {
    switch (this.phase) {
      case 'new':
        return 'resolving';
      case 'open': {
        const state = this.connections.state ?? 'resolving';
        // To an observer, the attempts to restore a connection are one state.
        const again = this.reconnectPolicy.isRetrying && state !== 'publishing' && state !== 'closing';
        return again ? 'reconnecting' : state;
      }
      case 'waiting':
        return 'reconnecting';
      default:
        return 'closing';
    }
  }

  get isEmpty(): boolean {
    return this.connections.streams.length === 0;
  }

  /** Begins to connect. `codecs`: those of the tracks that are known to come. */
  open(codecs: readonly number[]): void {
    this.retryTimer = undefined;
    const { current } = this.connections;
    this.phase = 'open';
    const { streams } = this.connections;
    if (!this.opener.open(current, this.route.next, streams, codecs)) return;
    for (const stream of streams) {
      this.connections.assign(stream, current);
      this.announce(stream);
    }
  }

  /** Adds a stream; false if the memory limit was reached. */
  addStream(stream: TrackStream): boolean {
    let ok = true;
    for (const connection of [this.connections.current, this.replacement?.connection]) {
      if (connection?.publisher === undefined) continue;
      ok &&= this.opener.createStream(connection, stream);
      if (ok) connection.merger.flush();
    }
    this.connections.assign(stream, this.connections.current);
    return ok;
  }

  removeStream(stream: TrackStream): void {
    this.connections.unassign(stream);
    this.finishUnused();
  }

  addTrack(track: Track): void {
    this.connections.of(track.stream)?.merger.add(track);
  }

  removeTrack(track: Track): void {
    this.connections.of(track.stream)?.merger.remove(track);
    this.delivery.trackRemoved(track);
  }

  write(track: Track, frames: readonly Frame[]): void {
    this.connections.of(track.stream)?.merger.write({ queue: track, frames });
  }

  announce(stream: TrackStream): void {
    const connection = this.connections.of(stream);
    if (connection === undefined) return;
    announceStream(stream, connection, (reason, message) => this.owner.fail(reason, message));
  }

  inputLeft(track: Track): void {
    if (track.length === 0) this.delivery.trackWritten(track);
    else this.connections.tracksChanged();
  }

  /** From now on no frame waits: what is queued goes out in order, as fast as the server takes it. */
  hurry(): void {
    this.opener.hurried = true;
    this.connections.hurry();
  }

  /** Nothing more will come: what is encoded is sent, then the connection is closed. */
  finish(): void {
    if (this.phase === 'closing' || this.phase === 'closed') return;
    this.phase = 'closing';
    this.retryTimer?.cancel();
    if (this.replacement?.connection !== undefined) this.closeConnection(this.replacement.connection);
    this.replacement = undefined;
    const { current } = this.connections;
    if (current.publisher === undefined) this.closeConnection(current);
    for (const connection of this.connections) connection.finish();
    this.closeIfFinished();
  }

  destroy(): void {
    this.phase = 'closed';
    this.retryTimer?.cancel();
    this.timeouts.connectAnswered();
    this.delivery.stop();
    this.replacement = undefined;
    for (const connection of this.connections) this.closeConnection(connection);
  }

  // The connections report: ConnectionOwner

  connectionState(connection: RtmpConnection, state: PublisherState): void {
    // A handshake may end while the session is closing already.
    if (connection !== this.connections.current || this.phase !== 'open') return;
    this.owner.log.debug(`RTMP connection: ${state}`);
    if (state !== 'publishing') return;
    this.timeouts.connectSent(connection);
    connection.merger.hold(false);
  }

  connectionFinished(connection: RtmpConnection): void {
    this.closeConnection(connection);
    this.closeIfFinished();
  }

  serverEvent(connection: RtmpConnection, event: ServerEvent): void {
    if (this.phase === 'closed') return;
    if (connection === this.connections.current) this.replies.handle(connection, event);
    else if (connection === this.replacement?.connection) this.replacement.replies.handle(connection, event);
    if (event.kind === 'ack') this.delivery.acknowledged();
  }

  connectionBroken(connection: RtmpConnection, error: Error): void {
    if (this.phase === 'closed') return;
    if (connection === this.connections.current) {
      this.currentBroken(connection, error);
    } else if (connection === this.replacement?.connection) {
      this.replacement.connectionBroken(connection, error);
    } else {
      this.owner.log.warn(`the connection that was replaced ended early: ${messageOf(error)}`);
      this.closeConnection(connection);
      this.moveFrom(this.connections.streamsOn(connection));
      this.closeIfFinished();
    }
  }

  // The server's answers: ReplyTarget and AnswerTimeoutOwner

  accepted(connection: RtmpConnection): void {
    connection.connectAnswer = 'accepted';
    connection.askForAcks();
    this.connectAnswered(connection);
  }

  connectUnanswered(connection: RtmpConnection): void {
    if (connection.connectAnswer === 'none') connection.connectAnswer = 'silent';
    this.connectAnswered(connection);
  }

  published(_connection: RtmpConnection, stream: TrackStream): void {
    this.announce(stream);
  }

  idTaken(connection: RtmpConnection, stream: TrackStream): void {
    this.oneStream = true;
    this.removeStream(stream);
    connection.merger.flush();
    this.owner.streamNeedsSession(stream);
  }

  firstStreamUnanswered(connection: RtmpConnection, timeout: number): void {
    this.connectionBroken(connection, new PublishError('recv', `no answer to createStream in ${timeout} ms`));
  }

  furtherStreamUnanswered(connection: RtmpConnection, stream: TrackStream): void {
    if (connection === this.connections.current) this.idTaken(connection, stream);
    else this.replacement?.idTaken();
  }

  connectAgain(): void {
    this.renewCurrent();
    this.open(this.connections.codecs);
  }

  rejected(error: PublishError): void {
    this.owner.fail(reasonOf(error), messageOf(error));
  }

  streamRejected(connection: RtmpConnection, stream: TrackStream, code: string, error: PublishError): void {
    if (this.reconnectPolicy.mayRetryPublish(connection, code, this.reconnects)) this.currentBroken(connection, error);
    else this.owner.streamRejected(stream, messageOf(error));
  }

  reconnectRequested(tcUrl: string | undefined): void {
    // Without senders, the session must not live for as long as servers redirect it.
    if (this.replacement !== undefined || this.phase !== 'open' || this.owner.isDeserted) return;
    if (!this.reconnectRequests.allow()) return;
    const { here } = this.route;
    const there = tcUrl === undefined ? here : withTcUrl(here, tcUrl);
    if (there === undefined) {
      this.owner.log.warn('the server asks to reconnect to what is no RTMP url, or leaves TLS');
      return;
    }
    this.owner.log.info(`the server asks to reconnect, to ${there.target.host} port ${there.target.port}`);
    const { current } = this.connections;
    // The server may close the connection at any time from now on.
    current.encoder.keepWritten = true;
    const route = new ServerRoute(this.origin, there);
    this.replacement = new Replacement(this, route, this.owner, this.assumeIds, this.now);
    this.replacement.open(current);
  }

  // The replacement: ReplacementOwner

  openConnection(destination: Destination): RtmpConnection | undefined {
    const connection = this.opener.create();
    this.connections.add(connection);
    const { streams, codecs } = this.connections;
    return this.opener.open(connection, destination, streams, codecs) ? connection : undefined;
  }

  closeConnection(connection: RtmpConnection): void {
    this.connections.remove(connection);
    connection.kill();
    this.delivery.connectionLost(connection, this.connections.tracksOn(connection));
  }

  moveToReplacement(stream: TrackStream, replacement: Replacement, connection: RtmpConnection): void {
    if (this.connections.current !== connection) this.useReplacement(replacement, connection);
    this.move(stream, connection, false);
    // Not at once: the connection that is left is writing at this moment.
    setImmediate(() => this.finishUnused());
  }

  replacementFailed(replacement: Replacement, why: string): void {
    this.owner.log.warn(`the connection that was to take over failed: ${why}`);
    const { current } = this.connections;
    current.encoder.moveFirst = undefined;
    if (current.connectAnswer !== 'none') this.connectAnswered(current);
    if (this.replacement === replacement) this.replacement = undefined;
    if (replacement.connection !== undefined) this.closeConnection(replacement.connection);
  }

  private useReplacement(replacement: Replacement, connection: RtmpConnection): void {
    this.replacement = undefined;
    this.connections.current = connection;
    this.route.continue(replacement.route);
    this.timeouts.connectAnswered();
    if (connection.connectAnswer === 'accepted') this.connectAnswered(connection);
    else if (connection.state === 'publishing') this.timeouts.connectSent(connection);
    this.reconnects++;
    this.owner.reconnecting('reconnect_request');
  }

  /** The current connection is lost: a replacement under way takes its place, or a new attempt is made. */
  private currentBroken(connection: RtmpConnection, error: Error): void {
    const { replacement } = this;
    if (replacement?.connection !== undefined) {
      this.owner.log.warn(`the connection broke before the next one was ready: ${messageOf(error)}`);
      this.closeConnection(connection);
      this.useReplacement(replacement, replacement.connection);
      this.moveFrom(this.connections.streams);
      return;
    }
    const gone = this.phase === 'closing' || this.owner.isDeserted;
    const delay = gone ? undefined : this.reconnectPolicy.delayAfter(connection, error);
    if (delay === undefined) {
      this.owner.fail(reasonOf(error), messageOf(error));
      return;
    }
    this.owner.log.warn(`RTMP connection broken: ${messageOf(error)}; next attempt in ${Math.round(delay)} ms`);
    this.reconnects++;
    this.route.reset();
    this.phase = 'waiting';
    this.renewCurrent();
    this.owner.reconnecting(reasonOf(error), messageOf(error));
    if (this.phase !== 'waiting') return;
    this.retryTimer = this.options.clock.after(delay, () => this.open(this.connections.codecs));
    this.delivery.tracksMoved();
  }

  /** Connect is answered, or counts as unanswered for good: frames are kept for a reconnect only. */
  private connectAnswered(connection: RtmpConnection): void {
    this.timeouts.connectAnswered();
    this.delivery.connectAnswered(connection, this.connections.tracksOn(connection));
  }

  /** All connections are given up. Tracks, and frames that may not have arrived, move to a new one that is not open yet. */
  private renewCurrent(): void {
    this.timeouts.connectAnswered();
    this.replacement = undefined;
    for (const connection of this.connections) this.closeConnection(connection);
    const fresh = this.opener.create();
    this.connections.add(fresh);
    this.connections.current = fresh;
    // Nothing is encoded ahead: if this attempt fails too, it would have to be undone.
    fresh.merger.hold(true);
    for (const stream of this.connections.streams) this.move(stream, fresh, true);
  }

  /** The connection of `streams` is lost: they continue on the current one. */
  private moveFrom(streams: readonly TrackStream[]): void {
    for (const stream of streams) this.move(stream, this.connections.current, true);
    this.delivery.tracksMoved();
  }

  private move(stream: TrackStream, to: RtmpConnection, lost: boolean): void {
    this.connections.move(stream, to, lost);
    this.announce(stream);
  }

  /** Replaced connections without a stream send what they have, and close. */
  private finishUnused(): void {
    const { connections } = this;
    for (const connection of connections) {
      if (connection === connections.current || connection === this.replacement?.connection) continue;
      if (connections.streamsOn(connection).length === 0) connection.finish();
    }
  }

  private closeIfFinished(): void {
    if (this.phase !== 'closing' || !this.connections.isEmpty) return;
    this.destroy();
    this.owner.sessionClosed(this);
  }
}
