import type { Frame } from '../../../media/frame.js';
import { PublishError } from '../../../rtmp/publish-error.js';
import type { Refusal } from '../../../rtmp/server-reply.js';
import type { Track, TrackStream } from '../../tracks/track.js';
import type { Destination } from '../destination.js';
import { ReplyHandler, type ReplyObserver, type ReplyTarget } from './reply-handler.js';
import type { RtmpConnection } from '../rtmp-connection.js';
import type { ServerRoute } from './server-route.js';

/** What a replacement needs from its session. */
export interface ReplacementOwner {
  /** Opens a connection. Returns undefined if the upstream has failed because of this. */
  openConnection(destination: Destination): RtmpConnection | undefined;
  /** Announces all streams of the session on `connection`. */
  createAll(connection: RtmpConnection): void;
  /** publish of `stream` was sent, and its answer is awaited. */
  watchPublish(connection: RtmpConnection, stream: TrackStream): void;
  closeConnection(connection: RtmpConnection): void;
  /** The replacement is ready, and `stream` moves to it. */
  moveToReplacement(stream: TrackStream, replacement: Replacement, connection: RtmpConnection): void;
  /** All streams may move at once. */
  replacementReady(replacement: Replacement): void;
  /** The replacement could not be opened. The current connection stays in use. */
  replacementFailed(replacement: Replacement, error: Error): void;
}

/**
 * The connection that replaces the current one: at the server's request (NetConnection.Connect.ReconnectRequest;
 * docs/protocol/enhanced-rtmp.md, Reconnect request), or to return to the primary destination (docs/failover.md). It is
 * opened while the current one is still in use. Each stream moves at its next key frame.
 */
export class Replacement implements ReplyTarget {
  readonly replies: ReplyHandler;
  connection: RtmpConnection | undefined;

  /** @param now monotonic ms */
  constructor(
    private readonly owner: ReplacementOwner,
    readonly route: ServerRoute,
    observer: ReplyObserver,
    now: () => number,
    private readonly atOnce = false,
  ) {
    this.replies = new ReplyHandler(this, observer, route, now);
  }

  /** @param current the connection that is replaced */
  open(current: RtmpConnection): void {
    this.connection = this.owner.openConnection(this.route.next);
    current.encoder.moveFirst = (track, frame) => this.moveFirst(track, frame);
  }

  accepted(connection: RtmpConnection): void {
    const wasReady = connection.isReady;
    connection.connectAnswer = 'accepted';
    if (!wasReady) this.owner.createAll(connection);
    connection.askForAcks();
  }

  published(connection: RtmpConnection, stream: TrackStream): void {
    this.owner.watchPublish(connection, stream);
  }

  live(connection: RtmpConnection): void {
    // The stream's metadata is written when the stream moves.
    if (this.atOnce && this.isReady(connection)) this.owner.replacementReady(this);
  }

  idTaken(): void {
    this.owner.replacementFailed(this, new PublishError('stream_id', 'the server gave all streams the same id'));
  }

  connectAgain(): void {
    if (this.connection !== undefined) this.owner.closeConnection(this.connection);
    this.connection = this.owner.openConnection(this.route.next);
  }

  rejected(_refusal: Refusal, error: PublishError): void {
    this.owner.replacementFailed(this, error);
  }

  streamRejected(_connection: RtmpConnection, _stream: TrackStream, _refusal: Refusal, error: PublishError): void {
    this.owner.replacementFailed(this, error);
  }

  connectionBroken(_connection: RtmpConnection, error: Error): void {
    this.owner.replacementFailed(this, error);
  }

  reconnectRequested(): void {
    // A further request is ignored, because there is only one replacement at a time.
  }

  /**
   * Called before each frame of the replaced connection. Returns true if the frame's stream is on the replacement now.
   */
  private moveFirst(track: Track, frame: Frame): boolean {
    const { connection, owner } = this;
    const boundary = track.mediaType === 'video' ? frame.isKey : track.stream.tracks.video === undefined;
    if (connection === undefined || !boundary || !this.isReady(connection)) return false;
    // This must come first, because a track without an input ends when its queue is empty.
    track.unshift(frame);
    owner.moveToReplacement(track.stream, this, connection);
    return true;
  }

  /** True once the server has accepted all streams. */
  private isReady(connection: RtmpConnection): boolean {
    if (connection.connectAnswer !== 'accepted') return false;
    for (const state of connection.streams.values()) if (!state.live) return false;
    return true;
  }
}
