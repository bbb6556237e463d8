import { mediaClockOf, type Clock } from '../clock.js';
import type { MediaSettings } from '../config/settings.js';
import { Merger } from '../merge/merger.js';
import { protocolReply } from '../rtmp/protocol-reply.js';
import { RtmpPublisher, type PublisherState } from '../rtmp/publisher.js';
import type { Resolve } from '../rtmp/resolve.js';
import { ServerReader, type ServerEvent } from '../rtmp/session-reader.js';
import { SessionWriter, type StreamState } from '../rtmp/session-writer.js';
import type { Amf0Object } from '../rtmp/amf0-writer.js';
import { pumpify } from '../streams.js';
import type { Destination } from './destination.js';
import type { Dump } from './dump.js';
import type { Ledger } from './ledger.js';
import { UpstreamSink, type SentBatch, type SinkOwner } from './sink.js';
import type { UpstreamStream } from './stream.js';
import type { Track } from './track.js';

export interface LineOptions {
  readonly settings: MediaSettings;
  readonly clock: Clock;
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
  private over = false;

  constructor(
    private readonly options: LineOptions,
    private readonly owner: LineOwner,
    books: SinkOwner,
  ) {
    const { settings, clock, ledger } = options;
    this.reader = new ServerReader({ now: () => clock.now() });
    this.session = new SessionWriter({
      chunkSize: settings.outChunkSize,
      metadataName: settings.outMetadataName,
      onFiPeriod: settings.outOnfiPeriod,
    });
    this.sink = new UpstreamSink(this.session, ledger, books, () => clock.now());
    this.merger = new Merger<Track, SentBatch>({
      // Early release and an immediate flush are for those who want every ms.
      clock: settings.outEarlyRelease || settings.outFlushTimeout === 0 ? clock : mediaClockOf(clock),
      sink: this.sink,
      minDelay: settings.outMinProcessDelay,
      maxDelay: settings.outMaxProcessDelay,
      earlyRelease: settings.outEarlyRelease,
      bufferSize: settings.outBufferSize,
      enough: settings.outBufferSize / 2,
      flushTimeout: settings.outFlushTimeout,
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

  /** Tells the server of a stream. */
  createStream(name: string, assume: boolean): StreamState {
    this.reader.expectStream();
    return this.session.createStream(name, assume);
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
      this.owner.lineEvent(this, event);
      if (this.over) return;
    }
  }

  private answer(event: ServerEvent): void {
    const reply = protocolReply(event);
    if (reply === undefined || this.merger.writableEnded) return;
    if (this.sink.charged('flush_failed', () => this.session.control(reply.type, reply.payload))) this.merger.flush();
  }
}
