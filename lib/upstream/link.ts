import type { Timer } from '../clock.js';
import type { Logger } from '../log.js';
import { messageOf } from '../errors.js';
import type { Frame } from '../media/frame.js';
import { enhancedProperties } from '../rtmp/enhanced.js';
import { PublishError } from '../rtmp/publish-error.js';
import type { PublisherState } from '../rtmp/publisher.js';
import type { ServerEvent } from '../rtmp/server-event.js';
import { Backoff, STABLE_AFTER } from './backoff.js';
import { reasonOf, type CloseReason } from './close-reason.js';
import { withTcUrl, type Destination } from './destination.js';
import { ENCODED_COST } from './ledger.js';
import { Line, type LineOptions, type LineOwner } from './line.js';
import { Replies } from './replies.js';
import type { LastStatus, UpstreamState } from './status.js';
import type { UpstreamStream } from './stream.js';
import type { Track } from './track.js';

/** How long connect may go unanswered before the server counts as one that does not answer. */
const ACCEPT_WAIT = 1_000;

/** Above this part of the memory limit frames are no longer kept for being sent again. */
const RETAIN_SHARE = 0.5;

/** What a link asks of the upstream that it belongs to. */
export interface LinkOwner {
  drained(track: Track): void;
  /** One of the track's media infos has come into force, or another one's place. */
  chargeInfo(track: Track): void;
  fail(reason: CloseReason, message: string): void;
  linkFinished(link: Link): void;
  /** The server refuses a stream; the others go on. */
  streamRejected(stream: UpstreamStream, message: string): void;
  /** The server gave `stream` the id of another one: it needs a connection of its own. */
  split(stream: UpstreamStream): void;
  lastStatus(status: LastStatus): void;
  reconnecting(link: Link, why: string): void;
  readonly log: Logger;
}

/**
 * An upstream's RTMP connection as the upstream sees it: it may break and be made anew, be sent elsewhere by the server,
 * or be asked who it is, while streams and tracks stay. Each attempt is a {@link Line} of its own.
 */
export class Link implements LineOwner {
  readonly streams = new Set<UpstreamStream>();
  state: UpstreamState = 'resolving';
  reconnects = 0;
  private line: Line;
  /** The connection that is to take over (NetConnection.Connect.ReconnectRequest). */
  private next: Line | undefined;
  private readonly backoff: Backoff;
  private timer: Timer | undefined;
  private acceptTimer: Timer | undefined;
  private readonly replies: Replies;
  /** The destination with what a login adds, for the attempt at hand. */
  private current: Destination;
  private finishing = false;
  private over = false;
  private writtenBefore = 0;
  private sentBefore = 0;
  private receivedBefore = 0;

  constructor(
    private readonly options: LineOptions,
    /** Where the connection goes; a redirect changes it. */
    public destination: Destination,
    private readonly owner: LinkOwner,
  ) {
    this.current = destination;
    const assume = options.settings.outStreamId === 'assume';
    this.replies = new Replies(this, owner, assume, () => options.clock.now());
    const { settings } = options;
    this.backoff = new Backoff(settings.outReconnectInterval, settings.outReconnects);
    this.line = this.newLine();
  }

  get remoteAddress(): string {
    return this.line.publisher?.remoteAddress ?? '';
  }

  get localAddress(): string {
    return this.line.publisher?.localAddress ?? '';
  }

  get writtenBytes(): number {
    return this.writtenBefore + (this.line.publisher?.writtenBytes ?? 0);
  }

  get sentBytes(): number {
    return this.sentBefore + (this.line.publisher?.sentBytes ?? 0);
  }

  get receivedBytes(): number {
    return this.receivedBefore + (this.line.publisher?.receivedBytes ?? 0);
  }

  get isOver(): boolean {
    return this.over;
  }

  /** Begins to connect. `codecs`: those of the tracks that are known to come. */
  open(codecs: readonly number[]): void {
    this.timer = undefined;
    const { line, options } = this;
    // Who has to log in, or may be sent elsewhere at once, keeps its frames until the server has let it in.
    line.sink.retain = true;
    const extra = options.settings.outEnhanced === 'auto' ? enhancedProperties(codecs) : undefined;
    if (!line.open(this.current, extra)) return;
    for (const stream of this.streams) {
      stream.state = this.createState(line, stream);
      this.activate(stream);
    }
    line.merger.flush();
    line.merger.hold(false);
  }

  /** Adds a stream; false if the memory limit was reached. */
  addStream(stream: UpstreamStream): boolean {
    const { line } = this;
    this.streams.add(stream);
    stream.link = this;
    if (line.publisher === undefined) return true;
    let created = false;
    const ok = line.sink.charged('create_stream_failed', () => {
      stream.state = this.createState(line, stream);
      created = true;
    });
    if (ok && this.next !== undefined) this.createState(this.next, stream);
    if (ok) line.merger.flush();
    return ok && created;
  }

  removeStream(stream: UpstreamStream): void {
    this.streams.delete(stream);
    for (const line of [this.line, this.next]) {
      const state = line?.states.get(stream);
      if (line === undefined || state === undefined) continue;
      line.states.delete(stream);
      line.sink.charged('unpublish_stream_failed', () => line.session.unpublish(state));
      // It must not wait for a frame of another stream.
      line.merger.changed();
    }
  }

  addTrack(track: Track): void {
    this.line.merger.add(track);
  }

  removeTrack(track: Track): void {
    this.line.merger.remove(track);
  }

  write(track: Track, frames: readonly Frame[]): void {
    this.line.merger.write({ queue: track, frames });
  }

  changed(): void {
    this.line.merger.changed();
  }

  hurry(): void {
    this.line.merger.hurry();
  }

  /** Metadata, sequence headers, and frames may go, once the stream's tracks are settled and the server knows the stream. */
  activate(stream: UpstreamStream): void {
    const { line } = this;
    if (!stream.settled || !stream.state.published || line.states.get(stream) !== stream.state) return;
    for (const track of stream.allTracks()) {
      track.applyChanges(track.head?.seq ?? track.ids.next);
      this.owner.chargeInfo(track);
    }
    const ok = line.sink.charged('write_meta_failed', () => {
      line.session.metadata(stream.state, stream.videoInfo, stream.audioInfo);
      for (const track of stream.allTracks()) {
        line.session.sequenceHeader(stream.state, track.info);
        track.ready = true;
      }
    });
    if (ok) line.merger.changed();
  }

  announce(track: Track): void {
    const { line } = this;
    const { stream } = track;
    this.owner.chargeInfo(track);
    line.sink.charged('write_meta_failed', () => {
      line.session.metadata(stream.state, stream.videoInfo, stream.audioInfo);
      line.session.sequenceHeader(stream.state, track.info);
    });
  }

  drained(track: Track): void {
    this.owner.drained(track);
  }

  fail(reason: CloseReason, message: string): void {
    this.owner.fail(reason, message);
  }

  framesSent(track: Track): void {
    if (track.retained.length === 0) return;
    const { settings, clock, ledger } = this.options;
    const now = clock.now();
    const crowded = ledger.used > ledger.limit * RETAIN_SHARE;
    if (!this.line.sink.retain || crowded) {
      this.forget(track, () => true);
      return;
    }
    const safe = now - settings.outResend;
    const { video, audio } = track.stream.tracks;
    if (video === undefined) {
      if (audio !== undefined) this.forget(audio, (frame) => frame.sentAt <= safe);
      return;
    }
    const from = video.retained.lastKeyUntil(safe);
    if (from === undefined) return;
    this.forget(video, (frame) => frame !== from);
    if (audio !== undefined) this.forget(audio, (frame) => frame.ms < from.ms && frame.sentAt <= safe);
  }

  isCurrent(line: Line): boolean {
    return line === this.line;
  }

  /** The server has accepted connect on `line`. */
  accepted(line: Line): void {
    line.accepted = true;
    if (line === this.line) this.settled(line);
  }

  /** Nothing more will come: what is encoded is sent, then the connection closed. */
  finish(): void {
    if (this.finishing) return;
    this.finishing = true;
    this.state = 'closing';
    this.next?.kill();
    this.next = undefined;
    if (this.line.publisher === undefined) {
      this.destroy();
      this.owner.linkFinished(this);
    } else {
      this.line.finish();
    }
  }

  destroy(): void {
    this.over = true;
    this.timer?.cancel();
    this.acceptTimer?.cancel();
    this.next?.kill();
    this.line.kill();
  }

  lineState(line: Line, state: PublisherState): void {
    if (line !== this.line || this.over) return;
    if (state === 'publishing') {
      this.acceptTimer?.cancel();
      this.acceptTimer = this.options.clock.after(ACCEPT_WAIT, () => this.settled(line), false);
    }
    // Attempts to come back are one state for who looks at it from outside.
    const again = this.backoff.attempts > 0 && state !== 'publishing' && state !== 'closing';
    this.state = again ? 'reconnecting' : state;
    this.owner.log.debug(`RTMP connection: ${state}`);
  }

  lineFinished(line: Line): void {
    if (line === this.line && !this.over) {
      this.destroy();
      this.owner.linkFinished(this);
    }
  }

  lineBroken(line: Line, error: Error): void {
    if (line === this.next) {
      this.owner.log.warn(`the connection that was to take over failed: ${messageOf(error)}`);
      line.kill();
      this.next = undefined;
      return;
    }
    if (line !== this.line || this.over) return;
    const { clock } = this.options;
    if (line.openedAt + STABLE_AFTER <= clock.now() && this.state === 'publishing') this.backoff.reset();
    // A name that is none, or a server that says no, is not mended by asking again.
    const final =
      error instanceof PublishError && ['start_resolve', 'connect_rejected', 'stream_id'].includes(error.stage);
    const delay = final || this.finishing ? undefined : this.backoff.next();
    if (delay === undefined) {
      this.owner.fail(reasonOf(error), messageOf(error));
      return;
    }
    this.owner.log.warn(`RTMP connection broken: ${messageOf(error)}; next attempt in ${Math.round(delay)} ms`);
    this.reconnects++;
    this.replaceLine();
    this.replies.reset();
    this.current = this.destination;
    this.state = 'reconnecting';
    this.owner.reconnecting(this, messageOf(error));
    if (this.over) return;
    this.timer = clock.after(delay, () => this.open(this.codecs()));
  }

  lineEvent(line: Line, event: ServerEvent): void {
    if (!this.over) this.replies.handle(line, event);
  }

  private codecs(): number[] {
    return [...this.streams].flatMap((stream) => [...stream.allTracks()].map((track) => track.latestInfo.codecId));
  }

  private newLine(): Line {
    return new Line(this.options, this);
  }

  private createState(line: Line, stream: UpstreamStream): UpstreamStream['state'] {
    const state = line.session.createStream(stream.name, this.options.settings.outStreamId === 'assume');
    line.states.set(stream, state);
    return state;
  }

  /** The connection is given up: tracks and the frames that may not have arrived go to a new one, not yet opened. */
  private replaceLine(): void {
    const old = this.line;
    this.acceptTimer?.cancel();
    this.writtenBefore = this.writtenBytes;
    this.sentBefore = this.sentBytes;
    this.receivedBefore = this.receivedBytes;
    old.kill();
    this.next?.kill();
    this.next = undefined;
    this.line = this.newLine();
    this.line.merger.hold(true);
    this.line.sink.retain = true;
    this.moveTracks(old, this.line, true);
  }

  private moveTracks(from: Line, to: Line, again: boolean): void {
    const { ledger } = this.options;
    for (const stream of this.streams) {
      for (const track of stream.allTracks()) {
        from.merger.remove(track);
        track.ready = false;
        if (again) {
          const bytes = track.inFlight * ENCODED_COST + track.unretainedCharge;
          ledger.release(bytes);
          track.requeue(bytes);
          // Without a key frame to begin with, video waits for the next one.
          track.waitKey = track.mediaType === 'video';
        }
        to.merger.add(track);
        to.merger.changed(track);
      }
    }
  }

  private forget(track: Track, done: (frame: Frame) => boolean): void {
    const bytes = track.retained.trim(done);
    this.options.ledger.release(bytes);
    track.memUsed -= bytes;
  }

  /** The server has let us in, or does not answer at all: frames are kept from now on only for the sake of reconnects. */
  private settled(line: Line): void {
    this.acceptTimer?.cancel();
    line.sink.retain = this.options.settings.outReconnects > 0;
    if (line.sink.retain) return;
    for (const stream of this.streams) for (const track of stream.allTracks()) this.forget(track, () => true);
  }

  /** Connects once more at once, elsewhere (for good: the server redirects) or as somebody. */
  again(destination: Destination, forGood = false): void {
    this.replaceLine();
    this.current = destination;
    if (forGood) this.destination = destination;
    this.open(this.codecs());
  }

  /** Makes the connection that takes over at the next key frame; the present one goes on until then. */
  prepareNext(tcUrl: string | undefined): void {
    const there = tcUrl === undefined ? this.destination : withTcUrl(this.destination, tcUrl);
    if (this.next !== undefined || this.finishing || there === undefined) return;
    this.owner.log.info('the server asks to reconnect');
    const next = this.newLine();
    this.next = next;
    next.sink.retain = true;
    const extra = this.options.settings.outEnhanced === 'auto' ? enhancedProperties(this.codecs()) : undefined;
    if (!next.open(there, extra)) return;
    for (const stream of this.streams) this.createState(next, stream);
    next.merger.flush();
    this.line.sink.handOver = (track, frame) => this.handOver(next, there, track, frame);
  }

  /** Asked before each frame: the switch is made at a key frame, once the new connection is there for all streams. */
  private handOver(next: Line, there: Destination, track: Track, frame: Frame): boolean {
    if (this.next !== next) {
      this.line.sink.handOver = undefined;
      return false;
    }
    const boundary = track.mediaType === 'video' ? frame.isKey : track.stream.tracks.video === undefined;
    if (!boundary || !next.accepted || [...next.states.values()].some((state) => !state.published)) return false;
    const old = this.line;
    this.writtenBefore = this.writtenBytes;
    this.sentBefore = this.sentBytes;
    this.receivedBefore = this.receivedBytes;
    track.unshift(frame);
    this.line = next;
    this.next = undefined;
    this.destination = this.current = there;
    this.reconnects++;
    old.sink.handOver = undefined;
    this.moveTracks(old, next, false);
    for (const stream of this.streams) {
      const state = next.states.get(stream);
      if (state !== undefined) stream.state = state;
      this.activate(stream);
    }
    this.settled(next);
    this.owner.reconnecting(this, 'the server asked for it');
    // The old connection sends what it has, and closes; what becomes of it is of no more interest.
    setImmediate(() => old.finish());
    return true;
  }
}
