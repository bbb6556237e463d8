import type { Frame } from '../../media/frame.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { tracksOf } from '../tracks/stream.js';
import type { CloseReason } from '../report/close-reason.js';
import type { NumbersReceiver, StreamOutlet, Track, TrackStream } from '../tracks/track.js';
import type { ConnectionOpener } from './connection-opener.js';
import type { ConnectionSet } from './connection-set.js';
import { DeferredActions } from './deferred-actions.js';
import type { Delivery } from './delivery/delivery.js';
import type { RtmpConnection } from './rtmp-connection.js';
import type { SessionDestinations } from './failover/session-destinations.js';
import { announceStream } from './stream-announcer.js';

/** What the streams of a session need from the upstream. */
export interface SessionStreamsOwner {
  readonly log: Logger;
  /** True while the upstream is being dropped. */
  readonly isDropping: boolean;
  fail(reason: CloseReason, message: string): void;
  streamRejected(stream: TrackStream, message: string): void;
  streamNeedsSession(stream: TrackStream, refusal?: string): void;
}

/**
 * The streams that a session publishes, over all its connections. Actions that come before the server has answered
 * connect are deferred until then.
 */
export class SessionStreams implements StreamOutlet {
  private readonly deferred = new DeferredActions();
  private closed = false;

  /** @param now monotonic ms */
  constructor(
    private readonly connections: ConnectionSet,
    private readonly opener: ConnectionOpener,
    private readonly delivery: Delivery,
    private readonly owner: SessionStreamsOwner,
    private readonly destinations: Pick<SessionDestinations, 'hasWaited' | 'streamFailed' | 'retriesAlone'>,
    private readonly now: () => number,
  ) {}

  get isEmpty(): boolean {
    return this.connections.streams.length === 0;
  }

  /** True from when the session has to wait for its turn to connect until it has published. */
  get isWaiting(): boolean {
    return this.destinations.hasWaited;
  }

  lagOf(stream: TrackStream): number {
    return this.connections.of(stream)?.lagMs ?? 0;
  }

  /** Adds a stream. Returns false if the memory limit was reached. */
  addStream(stream: TrackStream): boolean {
    const { current, replacement } = this.connections;
    this.connections.assign(stream, current);
    let ok = true;
    this.whenReady('create', stream, () => {
      ok = this.create(stream);
    });
    if (ok && replacement?.isReady === true) ok = this.opener.createStream(replacement, stream);
    return ok;
  }

  removeStream(stream: TrackStream): void {
    this.deferred.forgetStream(stream);
    this.connections.unassign(stream);
    this.connections.finishUnused();
  }

  leaves(stream: TrackStream): void {
    const tracks = tracksOf(stream);
    for (const connection of this.connections) connection.leave(tracks);
    for (const track of tracks) {
      this.removeTrack(track);
      track.forgetRetained(() => true);
    }
    this.removeStream(stream);
  }

  addTrack(track: Track): void {
    this.connections.of(track.stream)?.merger.add(track);
  }

  removeTrack(track: Track): void {
    this.deferred.forgetTrack(track);
    this.connections.of(track.stream)?.merger.remove(track);
    this.delivery.trackRemoved(track);
  }

  write(track: Track, frames: readonly Frame[]): void {
    this.connections.of(track.stream)?.merger.accept(track, frames);
  }

  receiverOf(track: Track): NumbersReceiver | undefined {
    const merger = this.connections.of(track.stream)?.merger;
    return merger?.isIdle === true ? merger : undefined;
  }

  announce(stream: TrackStream): void {
    this.whenReady('announce', stream, () => this.announceNow(stream));
  }

  inputLeft(track: Track): void {
    const { current } = this.connections;
    // Between two connections, a track without frames has nothing to wait for.
    const waits = current.publisher !== undefined || track.length > 0;
    if (current.isReady || !waits) this.end(track);
    else this.deferred.addEnd(track, this.now(), () => this.end(track));
  }

  /** Announces all streams on a connection that is ready. */
  createAll(connection: RtmpConnection): void {
    for (const stream of this.connections.streams) if (!this.opener.createStream(connection, stream)) return;
  }

  /** The server has answered connect, or is not expected to. The deferred actions run in their order. */
  ready(connection: RtmpConnection): void {
    // A server that never answers gets the bytes that it would have got without waiting.
    const replay = connection.connectAnswer === 'silent';
    if (replay) connection.merger.hold(true);
    this.deferred.runAll((at) => {
      if (replay && !this.closed) connection.merger.catchUp(at);
    });
    if (this.closed) return;
    if (replay) connection.merger.hold(false);
    connection.merger.flush();
  }

  /**
   * The server has confirmed the publish of `stream`, or the stream is on another connection. Metadata and headers are
   * written.
   */
  announceNow(stream: TrackStream): void {
    const connection = this.connections.of(stream);
    if (connection === undefined || this.closed) return;
    announceStream(stream, connection, (reason, message) => this.owner.fail(reason, message));
  }

  /**
   * Moves `streams` to another connection.
   *
   * @param lost true if their present connection is lost
   */
  move(streams: readonly TrackStream[], to: RtmpConnection, lost: boolean): void {
    // While the list of deferred actions is not empty, it includes all streams.
    const deferred = !to.isReady && this.deferred.isEmpty;
    for (const stream of streams) {
      this.connections.move(stream, to, lost);
      if (to.isReady) this.announceNow(stream);
      if (!deferred) continue;
      this.deferred.add('create', stream, this.now(), () => this.create(stream));
      this.deferred.add('announce', stream, this.now(), () => this.announceNow(stream));
    }
    if (lost) this.delivery.tracksMoved();
  }

  /**
   * The server refuses one of several streams. If another attempt is allowed, or there is a backup, the stream tries
   * again with its own session. The others continue.
   */
  oneRejected(connection: RtmpConnection, stream: TrackStream, isFinal: boolean, error: Error): void {
    const { destinations, owner } = this;
    destinations.streamFailed(stream, error);
    if (!destinations.retriesAlone(connection, error, isFinal)) {
      owner.streamRejected(stream, messageOf(error));
      return;
    }
    owner.log.warn(messageOf(error));
    this.removeStream(stream);
    connection.merger.flush();
    owner.streamNeedsSession(stream, messageOf(error));
  }

  close(): void {
    this.closed = true;
  }

  /** Runs the action now if commands may be sent; otherwise as soon as the server has answered connect. */
  private whenReady(kind: 'create' | 'announce', stream: TrackStream, action: () => void): void {
    if (this.connections.current.isReady) action();
    else this.deferred.add(kind, stream, this.now(), action);
  }

  private create(stream: TrackStream): boolean {
    const { current } = this.connections;
    // The stream may have ended meanwhile.
    if (this.closed || this.connections.of(stream) !== current) return true;
    const ok = this.opener.createStream(current, stream);
    this.connections.assign(stream, current);
    return ok;
  }

  private end(track: Track): void {
    // An input may have returned meanwhile.
    if (track.input !== undefined && !this.owner.isDropping) return;
    track.ended = true;
    if (track.length === 0) this.delivery.trackWritten(track);
    else this.connections.tracksChanged();
  }
}
