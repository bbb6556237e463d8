import type { Timer } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Frame } from '../../media/frame.js';
import { enhancedProperties } from '../../rtmp/enhanced.js';
import { PublishError } from '../../rtmp/publish-error.js';
import type { PublisherState } from '../../rtmp/publisher.js';
import type { ServerEvent } from '../../rtmp/server-event.js';
import { Backoff, STABLE_AFTER } from './backoff.js';
import { Books } from './books.js';
import { reasonOf } from '../report/close-reason.js';
import { withTcUrl, type Destination } from './destination.js';
import { Endings } from './endings.js';
import type { LinkOwner } from './session-owner.js';
import { Line, type LineOptions, type LineOwner } from './rtmp-connection.js';
import { Moves } from './reconnect-request-limit.js';
import { Patience, type PatienceOwner } from './answer-timeouts.js';
import { Replies, type ReplyTarget } from './reply-handler.js';
import { Resend } from './resend-policy.js';
import type { UpstreamState } from '../report/status.js';
import type { UpstreamStream } from '../tracks/stream.js';
import { activate, codecsOf, moveStream, tracksBy } from './stream-connection.js';
import { Successor, type SuccessorOwner } from './replacement.js';
import type { Track } from '../tracks/track.js';
import { Traffic } from './traffic.js';

/**
 * An upstream's RTMP connection as the upstream sees it: it may break and be made anew, be sent elsewhere by the server,
 * or be asked who it is, while streams and tracks stay. Each attempt is a {@link Line} of its own.
 */
export class Link implements LineOwner, ReplyTarget, SuccessorOwner, PatienceOwner {
  readonly streams = new Set<UpstreamStream>();
  /** All connections that are open: that of the moment, one that is to take over, those that still send what they have. */
  readonly traffic = new Traffic();
  state: UpstreamState = 'resolving';
  reconnects = 0;
  /** True once the server has shown that it knows one stream a connection. */
  oneStream = false;
  /** The connection of the moment. */
  line: Line;
  /** Tracks that wait for their end. */
  readonly endings: Endings;
  private successor: Successor | undefined;
  private readonly now: () => number;
  private readonly replies: Replies;
  private readonly moves: Moves;
  private readonly backoff: Backoff;
  private readonly resend: Resend;
  private readonly books: Books;
  private readonly patience: Patience;
  private readonly assume: boolean;
  /** Where the next attempt goes: redirects followed, with what a login adds. */
  private current: Destination;
  private timer: Timer | undefined;
  private hurried = false;
  private finishing = false;
  private over = false;

  constructor(
    private readonly options: LineOptions,
    /** Where every series of attempts begins. */
    private readonly origin: Destination,
    private readonly owner: LinkOwner,
  ) {
    const { settings, clock, ledger } = options;
    this.current = origin;
    this.assume = settings.outStreamId === 'assume';
    this.now = () => clock.now();
    this.replies = new Replies(this, owner, origin, this.assume, this.now);
    this.moves = new Moves(() => owner.log, this.now);
    this.backoff = new Backoff(settings.outReconnectInterval, settings.outReconnects);
    this.resend = new Resend(settings, ledger, this.now);
    this.endings = new Endings(clock, this.resend, owner);
    this.books = new Books(this.resend, owner, (track) => track.stream.line ?? this.line, this.endings);
    this.patience = new Patience(clock, settings.outTimeout, this);
    this.line = this.newLine();
  }

  get remoteAddress(): string {
    return this.line.publisher?.remoteAddress ?? '';
  }

  get localAddress(): string {
    return this.line.publisher?.localAddress ?? '';
  }

  /** Begins to connect. `codecs`: those of the tracks that are known to come. */
  open(codecs: readonly number[]): void {
    this.timer = undefined;
    if (!this.connect(this.line, this.current, codecs)) return;
    for (const stream of this.streams) {
      stream.moveTo(this.line);
      activate(stream);
    }
  }

  /** Adds a stream; false if the memory limit was reached. */
  addStream(stream: UpstreamStream): boolean {
    this.streams.add(stream);
    stream.link = this;
    let ok = true;
    for (const line of [this.line, this.successor?.line]) {
      if (line?.publisher === undefined) continue;
      ok &&= this.createState(line, stream);
      if (ok) line.merger.flush();
    }
    stream.moveTo(this.line);
    return ok;
  }

  removeStream(stream: UpstreamStream): void {
    this.streams.delete(stream);
    for (const line of this.traffic.lines) {
      const state = line.states.get(stream);
      if (state === undefined) continue;
      line.states.delete(stream);
      line.sink.charged('unpublish_stream_failed', () => line.session.unpublish(state));
      // It must not wait for a frame of another stream.
      line.merger.changed();
    }
    this.finishLeft();
  }

  addTrack(track: Track): void {
    track.stream.line?.merger.add(track);
  }

  removeTrack(track: Track): void {
    const { line } = track.stream;
    line?.merger.remove(track);
    if (line !== undefined) this.resend.sent(track, line);
  }

  write(track: Track, frames: readonly Frame[]): void {
    track.stream.line?.merger.write({ queue: track, frames });
  }

  changed(): void {
    for (const line of this.traffic.lines) line.merger.changed();
  }

  hurry(): void {
    this.hurried = true;
    for (const line of this.traffic.lines) line.merger.hurry();
  }

  /** The stream's tracks are settled, or one has joined. */
  activate(stream: UpstreamStream): void {
    activate(stream);
  }

  chargeInfo(track: Track): void {
    this.owner.chargeInfo(track);
  }

  /** Nothing more will come: what is encoded is sent, then the connection closed. */
  finish(): void {
    if (this.finishing) return;
    this.finishing = true;
    this.state = 'closing';
    this.timer?.cancel();
    if (this.successor?.line !== undefined) this.discard(this.successor.line);
    this.successor = undefined;
    if (this.line.publisher === undefined) this.discard(this.line);
    for (const line of this.traffic.lines) line.finish();
    this.finished();
  }

  destroy(): void {
    this.over = true;
    this.timer?.cancel();
    this.patience.stop();
    this.endings.stop();
    this.successor = undefined;
    for (const line of this.traffic.lines) this.discard(line);
  }

  lineState(line: Line, state: PublisherState): void {
    // A handshake may end while the link is closing already.
    if (line !== this.line || this.over || this.finishing) return;
    this.owner.log.debug(`RTMP connection: ${state}`);
    if (state === 'publishing') {
      this.patience.accept(line);
      line.merger.hold(false);
    }
    // Attempts to come back are one state for who looks at it from outside.
    const again = this.backoff.attempts > 0 && state !== 'publishing' && state !== 'closing';
    this.state = again ? 'reconnecting' : state;
  }

  lineFinished(line: Line): void {
    this.discard(line);
    this.finished();
  }

  lineEvent(line: Line, event: ServerEvent): void {
    if (this.over) return;
    if (line === this.line) this.replies.handle(line, event);
    else if (line === this.successor?.line) this.successor.replies.handle(line, event);
    if (event.kind === 'ack') this.endings.look();
  }

  lineBroken(line: Line, error: Error): void {
    if (this.over) return;
    if (line === this.line) {
      this.broken(line, error);
    } else if (line === this.successor?.line) {
      this.successor.lineBroken(line, error);
    } else {
      this.owner.log.warn(`the connection that was replaced ended early: ${messageOf(error)}`);
      this.discard(line);
      for (const stream of this.streams) if (stream.line === line) moveStream(stream, this.line, true);
      this.endings.look();
      this.finished();
    }
  }

  accepted(line: Line): void {
    line.accepted = true;
    line.askForAcks();
    this.settled(line);
  }

  /** The server has let us in, or does not answer at all: frames are kept for the sake of reconnects only. */
  settled(line: Line): void {
    this.patience.stop();
    this.resend.settled(line, tracksBy(this.streams, line));
    this.endings.look();
  }

  unanswered(line: Line, wait: number): void {
    this.lineBroken(line, new PublishError('recv', `no answer to createStream in ${wait} ms`));
  }

  noSecondStream(line: Line, stream: UpstreamStream): void {
    if (line === this.line) this.idTaken(line, stream);
    else this.successor?.idTaken(line, stream);
  }

  published(_line: Line, stream: UpstreamStream): void {
    activate(stream);
  }

  idTaken(line: Line, stream: UpstreamStream): void {
    this.oneStream = true;
    this.removeStream(stream);
    line.merger.flush();
    this.owner.split(stream);
  }

  rejected(error: PublishError): void {
    this.owner.fail(reasonOf(error), messageOf(error));
  }

  streamRejected(line: Line, stream: UpstreamStream, code: string, error: PublishError): void {
    // The server may still hold the session that broke just now (spec/ingest-services.md, BadName).
    const young = this.now() - line.openedAt < STABLE_AFTER;
    if (code === 'NetStream.Publish.BadName' && this.reconnects > 0 && young) this.broken(line, error);
    else this.owner.streamRejected(stream, messageOf(error));
  }

  again(destination: Destination): void {
    this.current = destination;
    this.replaceLine();
    this.open(codecsOf(this.streams));
  }

  prepareNext(tcUrl: string | undefined): void {
    // Without senders it is not to live on for as long as servers send it about.
    if (this.successor !== undefined || this.finishing || this.owner.isDeserted || !this.moves.allow()) return;
    const { here } = this.replies;
    const there = tcUrl === undefined ? here : withTcUrl(here, tcUrl);
    if (there === undefined) {
      this.owner.log.warn('the server asks to reconnect to what is no RTMP url, or leaves TLS');
      return;
    }
    this.owner.log.info(`the server asks to reconnect, to ${there.target.host} port ${there.target.port}`);
    // The server may hang up at any time from now on.
    this.line.sink.retain = true;
    this.successor = new Successor(this, there, this.origin, this.owner, this.assume, this.now);
    this.successor.open();
  }

  openLine(destination: Destination): Line | undefined {
    const line = this.newLine();
    return this.connect(line, destination, codecsOf(this.streams)) ? line : undefined;
  }

  discard(line: Line): void {
    this.traffic.remove(line);
    line.kill();
    this.resend.broken(line, tracksBy(this.streams, line));
  }

  takeOver(successor: Successor, line: Line): void {
    this.successor = undefined;
    this.line = line;
    this.replies.continue(successor.replies);
    this.patience.stop();
    if (line.accepted) this.settled(line);
    else if (line.state === 'publishing') this.patience.accept(line);
    this.reconnects++;
    this.owner.reconnecting('reconnect_request');
  }

  successorFailed(successor: Successor, why: string): void {
    this.owner.log.warn(`the connection that was to take over failed: ${why}`);
    this.line.sink.handOver = undefined;
    if (this.line.settled) this.settled(this.line);
    if (this.successor === successor) this.successor = undefined;
    if (successor.line !== undefined) this.discard(successor.line);
  }

  finishLeft(): void {
    for (const line of this.traffic.lines) {
      if (line === this.line || line === this.successor?.line) continue;
      if (![...this.streams].some((stream) => stream.line === line)) line.finish();
    }
  }

  private finished(): void {
    if (!this.finishing || this.over || this.traffic.lines.size > 0) return;
    this.destroy();
    this.owner.linkFinished(this);
  }

  private broken(line: Line, error: Error): void {
    const next = this.successor?.line;
    if (this.successor !== undefined && next !== undefined) {
      this.owner.log.warn(`the connection broke before the next one was ready: ${messageOf(error)}`);
      this.discard(line);
      this.takeOver(this.successor, next);
      for (const stream of this.streams) moveStream(stream, this.line, true);
      this.endings.look();
      return;
    }
    if (line.publishingSince + STABLE_AFTER <= this.now()) this.backoff.reset();
    // A name that is none is not mended by asking again.
    const final = error instanceof PublishError && error.stage === 'start_resolve';
    const delay = final || this.finishing || this.owner.isDeserted ? undefined : this.backoff.next();
    if (delay === undefined) {
      this.owner.fail(reasonOf(error), messageOf(error));
      return;
    }
    this.owner.log.warn(`RTMP connection broken: ${messageOf(error)}; next attempt in ${Math.round(delay)} ms`);
    this.reconnects++;
    this.replies.reset();
    this.current = this.replies.here;
    this.state = 'reconnecting';
    this.replaceLine();
    this.owner.reconnecting(reasonOf(error), messageOf(error));
    if (this.over) return;
    this.timer = this.options.clock.after(delay, () => this.open(codecsOf(this.streams)));
    this.endings.look();
  }

  /** The connection is given up: tracks and the frames that may not have arrived go to a new one, not yet opened. */
  private replaceLine(): void {
    this.patience.stop();
    this.successor = undefined;
    for (const line of this.traffic.lines) this.discard(line);
    this.line = this.newLine();
    // Nothing is written ahead: it would only have to be taken back if this attempt fails, too.
    this.line.merger.hold(true);
    for (const stream of this.streams) moveStream(stream, this.line, true);
  }

  private newLine(): Line {
    const line = new Line(this.options, this, this.books);
    // Who has to log in, or may be sent elsewhere at once, keeps its frames until the server has let it in.
    line.sink.retain = true;
    if (this.hurried) line.merger.hurry();
    this.traffic.add(line);
    return line;
  }

  /** Opens `line` and announces the streams on it; false if the memory limit was reached. */
  private connect(line: Line, destination: Destination, codecs: readonly number[]): boolean {
    const { outEnhanced } = this.options.settings;
    if (!line.open(destination, outEnhanced === 'auto' ? enhancedProperties(codecs) : undefined)) return false;
    for (const stream of this.streams) if (!this.createState(line, stream)) return false;
    line.merger.flush();
    return true;
  }

  private createState(line: Line, stream: UpstreamStream): boolean {
    const { assume } = this;
    return line.sink.charged('create_stream_failed', () => {
      const state = line.createStream(stream.name, assume);
      line.states.set(stream, state);
      if (!assume) this.patience.create(line, stream);
    });
  }
}
