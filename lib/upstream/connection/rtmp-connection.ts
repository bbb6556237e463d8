import type { Clock } from '../../time/clock.js';
import type { MediaSettings } from '../../config/settings.js';
import { Merger } from '../../merge/merger.js';
import { protocolReply } from '../../rtmp/protocol-reply.js';
import { windowAckSize, type ControlOut } from '../../rtmp/message/control.js';
import { RtmpPublisher, type PublisherState } from '../../rtmp/publisher.js';
import type { Resolve } from '../../rtmp/resolve.js';
import { ServerReader, type ServerEvent } from '../../rtmp/session-reader.js';
import { SessionWriter, type StreamState } from '../../rtmp/session-writer.js';
import type { Amf0Object } from '../../rtmp/amf0-writer.js';
import { pumpify } from '../../base/streams.js';
import type { Destination } from './destination.js';
import type { Dump } from '../../dump/dump.js';
import type { Ledger } from '../tracks/ledger.js';
import type { TurnSchedule } from '../../time/turn-schedule.js';
import { UpstreamSink, type SentBatch, type SinkOwner } from './frame-encoder.js';
import type { UpstreamStream } from '../tracks/stream.js';
import type { Track } from '../tracks/track.js';

/** How many buffers' worth is written in one piece, if so much is due at once: a write costs more than its bytes. */
const BUFFERS_AT_ONCE = 4;

/** C0, C1 and C2. */
const HANDSHAKE_BYTES = 1 + 2 * 1536;

/** Acknowledgements a second that a server is asked for: each is a packet of 16 bytes, and wakes us up. */
const ACKS_PER_SECOND = 4;

/** Bytes: least and most of the window, and what it is when the tracks do not say their bitrates. */
const ACK_WINDOW = { least: 16 * 1024, most: 1024 * 1024, unknown: 64 * 1024 };

function ackWindow(bitrate: number): number {
  if (bitrate <= 0) return ACK_WINDOW.unknown;
  const bytes = Math.round(bitrate / 8 / ACKS_PER_SECOND);
  return Math.min(Math.max(bytes, ACK_WINDOW.least), ACK_WINDOW.most);
}

export interface LineOptions {
  readonly settings: MediaSettings;
  readonly clock: Clock;
  readonly schedule: TurnSchedule;
  readonly resolve: Resolve;
  readonly permit?: ((address: string, port: number, host: string) => boolean) | undefined;
  readonly ledger: Ledger;
  /** Makes the dump of what a connection receives. */
  readonly dump?: (() => Dump) | undefined;
}

/** What a line tells the link that it is the connection of. */
export interface LineOwner {
  lineState(line: Line, state: PublisherState): void;
  lineEvent(line: Line, event: ServerEvent): void;
  /** All was sent, and the connection closed in order. */
  lineFinished(line: Line): void;
  lineBroken(line: Line, error: Error): void;
}

/**
 * One RTMP connection with what feeds it: merger, encoder and publisher, joined; and what the server says on it. Made
 * afresh for every attempt to connect, since nothing of a connection's state outlives it.
 */
export class Line {
  readonly session: SessionWriter;
  readonly sink: UpstreamSink;
  readonly merger: Merger<Track, SentBatch>;
  /** The upstream's streams as this connection knows them. */
  readonly states = new Map<UpstreamStream, StreamState>();
  publisher: RtmpPublisher | undefined;
  connectTransaction = 0;
  /** True once the server has accepted connect. */
  accepted = false;
  /** True once it has, or was given time enough to say no. */
  settled = false;
  openedAt = 0;
  /** Where it has come; undefined before {@link open}. */
  state: PublisherState | undefined;
  /** Monotonic ms at which the handshake was done. */
  publishingSince = Infinity;
  private readonly reader: ServerReader;
  /** Window Acknowledgement Size that the server was told last, bytes; 0: none. */
  private window = 0;
  /** Most that it may be, by the server's Set Peer Bandwidth. */
  private windowLimit = Infinity;
  private over = false;

  constructor(
    private readonly options: LineOptions,
    private readonly owner: LineOwner,
    books: SinkOwner,
  ) {
    const { settings, clock, schedule, ledger } = options;
    this.reader = new ServerReader({ now: () => clock.now() });
    this.session = new SessionWriter({
      chunkSize: settings.outChunkSize,
      metadataName: settings.outMetadataName,
      onFiPeriod: settings.outOnfiPeriod,
    });
    this.sink = new UpstreamSink(this.session, ledger, books, () => clock.now());
    this.merger = new Merger<Track, SentBatch>({
      clock: schedule.clock,
      sink: this.sink,
      minDelay: settings.outMinProcessDelay,
      maxDelay: settings.outMaxProcessDelay,
      earlyRelease: settings.outEarlyRelease,
      bufferSize: settings.outBufferSize,
      enough: settings.outBufferSize / 2,
      most: settings.outBufferSize * BUFFERS_AT_ONCE,
      flushTimeout: Math.max(0, settings.outFlushTimeout - schedule.early),
    });
  }

  /** Writes connect and begins to connect. False: the memory limit was reached, and the owner knows. */
  open(destination: Destination, extra: Amf0Object | undefined): boolean {
    const { settings, clock, resolve, permit, dump: openDump } = this.options;
    const params = extra === undefined ? destination.params : { ...destination.params, extra };
    const ok = this.sink.charged('write_connect_failed', () => {
      this.connectTransaction = this.session.connect(params);
    });
    if (!ok) return false;
    this.openedAt = clock.now();
    this.sink.taken = (destination.header?.length ?? 0) + HANDSHAKE_BYTES;
    const dump = openDump?.();
    const publisher = new RtmpPublisher({
      target: destination.target,
      header: destination.header,
      timeout: settings.outTimeout,
      clock,
      resolve,
      ...(permit === undefined ? {} : { permit }),
      ...(dump === undefined ? {} : { onReceived: (bytes) => dump.write(bytes), onClosed: () => dump.close() }),
      onState: (state) => {
        this.state = state;
        if (state === 'publishing') this.publishingSince = clock.now();
        if (!this.over) this.owner.lineState(this, state);
      },
      onReply: (bytes) => this.replies(bytes),
    });
    this.publisher = publisher;
    const broken = (error: Error): void => {
      if (!this.over) this.owner.lineBroken(this, error);
    };
    publisher.on('error', broken);
    publisher.on('finish', () => {
      if (!this.over) this.owner.lineFinished(this);
    });
    this.merger.on('error', broken);
    new pumpify(this.merger, publisher).on('error', () => {});
    return true;
  }

  /**
   * Asks the server to acknowledge what it reads, often enough to be of use when the connection breaks. Only once it has
   * accepted connect: a server that says nothing is told no more than by the module that this replaces.
   */
  askForAcks(): void {
    const { outReconnects, outResend } = this.options.settings;
    if (!this.accepted || outReconnects === 0 || outResend === 0 || this.merger.writableEnded) return;
    const tracks = [...this.states.keys()].flatMap((stream) => stream.allTracks());
    const wanted = ackWindow(tracks.reduce((sum, { latestInfo }) => sum + latestInfo.bitrate, 0));
    const window = Math.min(wanted, this.windowLimit);
    // A track more or less is not worth a word, if it is not much more.
    if (window < 2 * this.window && window > this.window / 2) return;
    this.window = window;
    this.sink.acked.expect(window);
    this.control(windowAckSize(window));
  }

  /** Tells the server of a stream. */
  createStream(name: string, assume: boolean): StreamState {
    this.reader.expectStream();
    return this.session.createStream(name, assume);
  }

  /** `tracks` go by another connection from now on; this one sends what it has of them. */
  leave(tracks: Iterable<Track>): void {
    // What is gathered of a track is counted there, and must be on its way before the other one counts, too.
    this.merger.flush();
    if (!this.over) for (const track of tracks) this.sink.leave(track);
  }

  /** True once nothing more is heard of it. */
  get isOver(): boolean {
    return this.over;
  }

  /** Ends in order: what is encoded goes out, then the connection is closed. */
  finish(): void {
    if (!this.merger.writableEnded) this.merger.end();
  }

  /** Gives the connection up; nothing more is heard of it. */
  kill(): void {
    if (this.over) return;
    this.over = true;
    this.sink.abandon();
    this.merger.destroy();
    this.publisher?.destroy();
  }

  private replies(bytes: Buffer): void {
    if (this.over) return;
    for (const event of this.reader.feed(bytes)) {
      this.answer(event);
      if (event.kind === 'ack') this.sink.acked.take(event.sequence, this.publisher?.writtenBytes ?? 0);
      this.owner.lineEvent(this, event);
      if (this.over) return;
    }
  }

  private answer(event: ServerEvent): void {
    const reply = protocolReply(event);
    if (reply === undefined || this.merger.writableEnded) return;
    this.control(reply);
    if (event.kind !== 'peerBandwidth' || event.announce === undefined) return;
    // That was a window, too; if ours is smaller, it has to come behind it.
    this.window = this.windowLimit = event.announce;
    this.askForAcks();
  }

  private control({ type, payload }: ControlOut): void {
    if (this.sink.charged('flush_failed', () => this.session.control(type, payload))) this.merger.flush();
  }
}
