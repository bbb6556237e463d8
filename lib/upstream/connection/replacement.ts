import { messageOf } from '../../base/errors.js';
import type { Frame } from '../../media/frame.js';
import type { PublishError } from '../../rtmp/publish-error.js';
import { moveStream } from './stream-connection.js';
import type { Destination } from './destination.js';
import type { Line } from './rtmp-connection.js';
import { Replies, type ReplyOwner, type ReplyTarget } from './reply-handler.js';
import type { UpstreamStream } from '../tracks/stream.js';
import type { Track } from '../tracks/track.js';

/** What the connection that is to take over asks of the link. */
export interface SuccessorOwner {
  /** The connection of the moment. */
  readonly line: Line;
  /** Opens a connection with all of the link's streams; undefined: the upstream has failed over it. */
  openLine(destination: Destination): Line | undefined;
  discard(line: Line): void;
  /** `successor` is the connection of the moment from now on. */
  takeOver(successor: Successor, line: Line): void;
  /** `successor` has come to nothing: the connection of the moment goes on. */
  successorFailed(successor: Successor, why: string): void;
  /** Connections that no stream goes by any more send what they have, and close. */
  finishLeft(): void;
}

/**
 * The connection that is to take over since the server has asked for it (NetConnection.Connect.ReconnectRequest;
 * spec/enhanced-rtmp.md). It is made, and published on, beside the present one; each stream moves at its next key frame.
 */
export class Successor implements ReplyTarget {
  readonly replies: Replies;
  line: Line | undefined;

  constructor(
    private readonly owner: SuccessorOwner,
    destination: Destination,
    origin: Destination,
    upstream: ReplyOwner,
    assume: boolean,
    now: () => number,
  ) {
    this.replies = new Replies(this, upstream, origin, assume, now);
    this.replies.here = destination;
  }

  open(): void {
    const present = this.owner.line;
    this.line = this.owner.openLine(this.replies.here);
    present.sink.handOver = (track, frame) => this.handOver(track, frame);
  }

  accepted(line: Line): void {
    line.accepted = true;
    line.askForAcks();
  }

  published(_line: Line, _stream: UpstreamStream): void {
    // Its metadata goes out when it moves.
  }

  idTaken(_line: Line, _stream: UpstreamStream): void {
    this.owner.successorFailed(this, 'the server gives all streams one id');
  }

  again(destination: Destination): void {
    if (this.line !== undefined) this.owner.discard(this.line);
    this.line = this.owner.openLine(destination);
  }

  rejected(error: PublishError): void {
    this.owner.successorFailed(this, messageOf(error));
  }

  streamRejected(_line: Line, _stream: UpstreamStream, _code: string, error: PublishError): void {
    this.owner.successorFailed(this, messageOf(error));
  }

  lineBroken(_line: Line, error: Error): void {
    this.owner.successorFailed(this, messageOf(error));
  }

  prepareNext(): void {
    // One move at a time.
  }

  /** Asked before each frame of the connection that is to be replaced; true: its stream goes by this one now. */
  private handOver(track: Track, frame: Frame): boolean {
    const { line, owner } = this;
    const boundary = track.mediaType === 'video' ? frame.isKey : track.stream.tracks.video === undefined;
    if (line === undefined || !boundary || !this.isReady(line)) return false;
    // First of all: a track that has ended is over once it has nothing to write.
    track.unshift(frame);
    if (owner.line !== line) owner.takeOver(this, line);
    moveStream(track.stream, line, false);
    // Not at once: the other one is in the middle of writing.
    setImmediate(() => owner.finishLeft());
    return true;
  }

  /** True once the server has let all streams in. */
  private isReady(line: Line): boolean {
    if (!line.accepted) return false;
    for (const state of line.states.values()) if (!state.published) return false;
    return true;
  }
}
