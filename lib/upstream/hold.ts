import type { Frame } from '../media/frame.js';
import type { PublishSession } from './connection/session.js';
import type { SessionSet } from './connection/session-set.js';
import type { Publications } from './report/publications.js';
import type { StreamSet } from './stream-set.js';
import type { UpstreamStream } from './tracks/stream.js';
import type { StreamOutlet, Track } from './tracks/track.js';

/** What is needed from the upstream. */
export interface HoldOwner {
  readonly sessions: SessionSet;
  /** A session for the destination of the upstream. */
  mainSession(): PublishSession;
  trackEnded(track: Track): void;
  readonly publications: Pick<Publications, 'lost'>;
}

/**
 * Holds an upstream back while an operator has disabled it: it has no RTMP connection, its senders stay connected, and
 * their frames are acknowledged and discarded. When it is enabled, it begins at a key frame.
 */
export class Hold implements StreamOutlet {
  readonly isEmpty = true;
  readonly isWaiting = false;
  readonly discards = true;
  private active = false;

  constructor(
    private readonly owner: HoldOwner,
    private readonly streams: StreamSet,
  ) {}

  get isActive(): boolean {
    return this.active;
  }

  /** Ends the RTMP connections in order. */
  begin(): void {
    if (this.active) return;
    this.active = true;
    const { sessions } = this.owner;
    const before = [...sessions];
    for (const stream of this.streams.all()) this.take(stream);
    sessions.replaceAll(this.owner.mainSession());
    for (const session of before) session.finish(true);
  }

  /** Publishes again, from the next key frame on. */
  end(): void {
    if (!this.active) return;
    this.active = false;
    const all = this.streams.all();
    for (const stream of all) {
      stream.beginAtKey(true);
      this.streams.publishAgain(stream);
    }
    const { main } = this.owner.sessions;
    // Without a stream, there is nothing to publish.
    if (all.length > 0) main.open(main.connections.codecs);
  }

  /** The frames are done: they are acknowledged, and not sent. */
  write(track: Track, frames: readonly Frame[]): void {
    const [first] = frames;
    const last = frames.at(-1);
    // Its sender is not silent: no slate is needed when the upstream is enabled.
    if (first !== undefined && last !== undefined) track.lag.record(last.arrivedAt, first.ms, last.ms);
    for (const frame of frames) track.memory.release(frame);
    track.acknowledge();
  }

  inputLeft(track: Track): void {
    this.owner.trackEnded(track);
  }

  addTrack(): void {}

  removeTrack(): void {}

  removeStream(): void {}

  announce(): void {}

  leaves(): void {}

  lagOf(): number {
    return 0;
  }

  private take(stream: UpstreamStream): void {
    for (const track of stream.allTracks()) for (const frame of track.removeUnless(() => false)) track.drop(frame);
    this.streams.leaveSession(stream);
    stream.outlet = this;
    this.owner.publications.lost(stream.name, 'api_delete', 'an operator has disabled the upstream');
    for (const track of stream.allTracks()) {
      // Without a sender, there is nothing to wait for.
      if (track.input === undefined) this.owner.trackEnded(track);
      else track.acknowledge();
    }
  }
}
