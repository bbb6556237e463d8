import type { Clock } from '../../time/clock.js';
import type { MediaSettings } from '../../config/settings.js';
import { Merger } from '../../merge/merger.js';
import { protocolReply } from '../../rtmp/protocol-reply.js';
import { windowAckSize, type ControlOut } from '../../rtmp/message/control.js';
import type { AddressPenalties } from '../../rtmp/network/address-penalties.js';
import { RtmpPublisher, type PublisherState } from '../../rtmp/network/publisher.js';
import type { Permit } from '../../rtmp/network/permit.js';
import type { Resolve } from '../../rtmp/network/resolve.js';
import type { TcpQueues } from '../../rtmp/network/tcp-queues.js';
import type { ServerEvent } from '../../rtmp/server-reader.js';
import { SessionWriter, type StreamState } from '../../rtmp/session-writer.js';
import type { Amf0Object } from '../../rtmp/amf0/amf0-writer.js';
import { pumpify } from '../../base/streams.js';
import type { Destination } from './destination.js';
import type { Dump } from '../../dump/dump.js';
import type { Ledger } from '../tracks/ledger.js';
import type { TurnSchedule } from '../../time/turn-schedule.js';
import { turnShareOf, type TurnShare } from '../../time/turn-share.js';
import { sendNow, writeNow } from './delivery/direct-send.js';
import { FrameEncoder, type EncodedBatch, type EncoderOwner } from './delivery/frame-encoder.js';
import { ackWindow } from './delivery/wanted-window.js';
import { ServerLag } from './delivery/server-lag.js';
import { ServerReplies, type RepliesOwner } from './server/server-replies.js';
import type { ByteCounts } from '../report/byte-counts.js';
import { lagLimitsOf, type LagLimits } from '../tracks/lag-limits.js';
import { LateFrames } from '../tracks/late-frames.js';
import { leaveOutOld } from '../tracks/outage-window.js';
import { tracksOf } from '../tracks/stream.js';
import type { Track, TrackStream } from '../tracks/track.js';

/** The most buffers written in one piece, if that much is due at once. A write has a cost beside its bytes. */
const BUFFERS_AT_ONCE = 4;

/** C0, C1 and C2. */
const HANDSHAKE_BYTES = 1 + 2 * 1536;

export interface RtmpConnectionOptions {
  readonly settings: MediaSettings;
  /** True if a broken connection may be opened again, there or at a backup. */
  readonly canReconnect: boolean;
  readonly clock: Clock;
  readonly schedule: TurnSchedule;
  readonly resolve: Resolve;
  readonly permit?: Permit | undefined;
  readonly ledger: Ledger;
  /** The addresses that failed lately. */
  readonly addresses: AddressPenalties;
  /** Measures the kernel's queues. */
  readonly queues: TcpQueues;
  /** Opens the dump of the bytes that a connection receives. */
  readonly dump?: (() => Dump) | undefined;
}

/** What a connection reports to its session. */
export interface ConnectionOwner {
  connectionState(connection: RtmpConnection, state: PublisherState): void;
  serverEvent(connection: RtmpConnection, event: ServerEvent): void;
  /** Everything was sent, and the connection was closed in order. */
  connectionFinished(connection: RtmpConnection): void;
  connectionBroken(connection: RtmpConnection, error: Error): void;
}

/**
 * How the server has answered connect:
 *
 * - `none`: not yet;
 * - `assumed`: not yet, and the service does not wait for the answer;
 * - `silent`: not in time, so it counts as a server that never answers;
 * - `accepted`
 */
export type ConnectAnswer = 'none' | 'assumed' | 'silent' | 'accepted';

/**
 * One RTMP connection: merger, encoder and publisher, joined, and the server's messages. Each attempt to connect
 * creates a new one, because no state of a connection is used after it has ended.
 */
export class RtmpConnection implements RepliesOwner {
  readonly writer: SessionWriter;
  readonly encoder: FrameEncoder;
  readonly merger: Merger<Track, EncodedBatch>;
  /** The state of the upstream's streams on this connection. */
  readonly streams = new Map<TrackStream, StreamState>();
  /** How far the server is behind. */
  readonly lag: ServerLag;
  publisher: RtmpPublisher | undefined;
  connectTransaction = 0;
  connectAnswer: ConnectAnswer = 'none';
  /** `host:port` of the server, as configured; empty before {@link open}. */
  server = '';
  /** Index of its destination: streams may have other names there. */
  private destinationIndex = 0;
  /** True once the server has sent any message after the handshake. */
  heard = false;
  /** Monotonic ms. */
  openedAt = 0;
  /** Undefined before {@link open}. */
  state: PublisherState | undefined;
  /** Monotonic ms at which the handshake was done. */
  publishingSince = Infinity;
  private readonly limits: LagLimits;
  private readonly replies: ServerReplies;
  /** Shares the work for this server with that for others. */
  private readonly share: TurnShare;
  /** The last Window Acknowledgement Size that was sent to the server, bytes; 0: none. */
  private window = 0;
  /** The largest allowed window, from the server's Set Peer Bandwidth. */
  private windowLimit = Infinity;
  private over = false;

  constructor(
    private readonly options: RtmpConnectionOptions,
    private readonly owner: ConnectionOwner,
    encoderOwner: EncoderOwner,
  ) {
    const { settings, clock, schedule, ledger } = options;
    this.replies = new ServerReplies(clock, this);
    this.share = turnShareOf(clock);
    this.writer = new SessionWriter({
      chunkSize: settings.outChunkSize,
      metadataName: settings.outMetadataName,
      onFiPeriod: settings.outOnfiPeriod,
      enhanced: settings.outEnhanced === 'on',
    });
    const limits = (this.limits = lagLimitsOf(settings));
    const late = new LateFrames(limits);
    const encoder = new FrameEncoder(this.writer, ledger, encoderOwner, () => clock.now(), late);
    this.encoder = encoder;
    this.merger = new Merger<Track, EncodedBatch>({
      clock: schedule.clock,
      sink: this.encoder,
      minDelay: settings.outMinProcessDelay,
      maxDelay: settings.outMaxProcessDelay,
      earlyRelease: settings.outEarlyRelease,
      bufferSize: settings.outBufferSize,
      flushSize: settings.outBufferSize / 2,
      maxBatchSize: settings.outBufferSize * BUFFERS_AT_ONCE,
      flushTimeout: schedule.flushTimeout,
      sendNow: () => sendNow(encoder, this.publisher),
      writeNow: (batch) => this.writeNow(batch),
    });
    const handed = (): number => this.publisher?.handedBytes ?? 0;
    const sources = {
      acked: encoder.acked,
      get handed() {
        return handed();
      },
      get taken() {
        return encoder.taken;
      },
    };
    this.lag = new ServerLag(sources, limits, clock, (bytes) => {
      late.isPaced = bytes !== Infinity;
      this.merger.allow(bytes);
    });
    encoder.onBatch = (start, end, first, last) => this.lag.batch(start, end, first, last);
  }

  /**
   * Writes connect and begins to connect. Returns false if the memory limit was reached; the owner has been notified.
   */
  open(destination: Destination, extra: Amf0Object | undefined): boolean {
    const { settings, clock, resolve, permit, addresses: penalties, queues, dump: openDump } = this.options;
    this.server = `${destination.target.host}:${destination.target.port}`;
    this.destinationIndex = destination.index;
    const params = extra === undefined ? destination.params : { ...destination.params, extra };
    const ok = this.encoder.charged('write_connect_failed', () => {
      this.connectTransaction = this.writer.connect(params);
    });
    if (!ok) return false;
    this.openedAt = clock.now();
    this.encoder.taken = (destination.header?.length ?? 0) + HANDSHAKE_BYTES;
    const dump = openDump?.();
    const publisher = new RtmpPublisher({
      target: destination.target,
      header: destination.header,
      timeout: settings.outTimeout,
      clock,
      resolve,
      penalties,
      // Two measurements that are compared are half of the timeout apart.
      progress: async () => ((await queues.refresh(settings.outTimeout / 4)) ? this.lag.progress : undefined),
      ...(permit === undefined ? {} : { permit }),
      ...(dump === undefined ? {} : { onReceived: (bytes) => dump.write(bytes), onClosed: () => dump.close() }),
      onState: (state) => {
        this.state = state;
        if (state === 'publishing') this.handshakeDone();
        if (!this.over) this.owner.connectionState(this, state);
      },
      onReply: (bytes) => this.received(bytes),
    });
    this.publisher = publisher;
    const broken = (error: Error): void =>
      this.share.run(() => {
        this.replies.takeRest();
        if (!this.over) this.owner.connectionBroken(this, error);
      });
    publisher.on('error', broken);
    publisher.on('finish', () =>
      this.share.run(() => {
        if (!this.over) this.owner.connectionFinished(this);
      }),
    );
    this.merger.on('error', broken);
    new pumpify(this.merger, publisher).on('error', () => {});
    return true;
  }

  /**
   * Asks the server to acknowledge what it reads, often enough to be useful when the connection breaks. It does so only
   * after the server has accepted connect: a server that sends nothing gets only the messages that the module would
   * send.
   */
  askForAcks(): void {
    const { settings, canReconnect } = this.options;
    const isUseful = (canReconnect && settings.outResend > 0) || settings.outOverload === 'drop_frames';
    if (this.connectAnswer !== 'accepted' || !isUseful || this.merger.writableEnded) return;
    const tracks = [...this.streams.keys()].flatMap(tracksOf);
    const wanted = ackWindow(tracks.reduce((sum, { latestInfo }) => sum + latestInfo.bitrate, 0));
    const window = Math.min(wanted, this.windowLimit);
    // A small change of the bitrate does not justify a message.
    if (window < 2 * this.window && window > this.window / 2) return;
    this.window = window;
    this.encoder.acked.expect(window);
    this.control(windowAckSize(window));
  }

  /** True if the server publishes `stream` or counts as one that never answers. Then its frames may be acknowledged. */
  publishes(stream: TrackStream): boolean {
    return this.isSettled && this.streams.get(stream)?.live === true;
  }

  /** Announces `stream` to the server. Returns false if the memory limit was reached; the owner has been notified. */
  createStream(stream: TrackStream, assumeId: boolean): boolean {
    return this.encoder.charged('create_stream_failed', () => {
      this.replies.expectStream();
      this.streams.set(stream, this.writer.createStream(stream.nameAt(this.destinationIndex), assumeId));
    });
  }

  /** Unpublishes `stream`, if it is on this connection. */
  removeStream(stream: TrackStream): void {
    const state = this.streams.get(stream);
    if (state === undefined) return;
    this.streams.delete(stream);
    this.encoder.charged('unpublish_stream_failed', () => this.writer.unpublish(state));
    // The command must not wait for a frame of another stream.
    this.merger.changed();
  }

  /** ms: the age of the first written byte that the server has not taken; 0 if there is none. */
  get lagMs(): number {
    return this.lag.value(this.options.clock.now());
  }

  /** The first frames of `stream` are about to be written: those that are too old are left out. */
  leaveOutOld(stream: TrackStream): void {
    const { drops, limit } = this.limits;
    if (drops) leaveOutOld(stream, this.options.clock.now() - limit);
  }

  /** Bytes transferred over the connection so far. */
  get bytes(): ByteCounts {
    const { publisher, encoder } = this;
    return {
      written_bytes: publisher?.writtenBytes ?? 0,
      sent_bytes: publisher?.sentBytes ?? 0,
      received_bytes: publisher?.receivedBytes ?? 0,
      acked_bytes: encoder.acked.bytes,
    };
  }

  /** `tracks` move to another connection. This one sends what it has encoded of their frames. */
  leave(tracks: Iterable<Track>): void {
    // Frames that are encoded here must be in a batch before the other connection counts frames of the same track.
    this.merger.flush();
    if (!this.over) for (const track of tracks) this.encoder.leave(track);
  }

  /** True once commands may follow connect. */
  get isReady(): boolean {
    return this.connectAnswer !== 'none';
  }

  /** True while media may be written to one of its streams. */
  get isLive(): boolean {
    for (const state of this.streams.values()) if (state.live) return true;
    return false;
  }

  /** True once connect is answered, or counts as unanswered for good. */
  get isSettled(): boolean {
    return this.connectAnswer === 'accepted' || this.connectAnswer === 'silent';
  }

  /**
   * The server at its address is of no use at the moment: the next attempt takes another address of the name, if there
   * is one.
   */
  penalizeAddress(): void {
    this.publisher?.penalizeAddress();
  }

  /** True if it is open, and `other` is to another one of the destinations. */
  isElsewhere(other: RtmpConnection): boolean {
    return !this.over && !this.merger.writableEnded && this.destinationIndex !== other.destinationIndex;
  }

  /** True once the connection reports nothing any more. */
  get isOver(): boolean {
    return this.over;
  }

  /** Ends in order: encoded bytes are sent, then the connection is closed. */
  finish(): void {
    if (!this.merger.writableEnded) this.merger.end();
  }

  /** Closes the connection at once. After that, it reports nothing. */
  kill(): void {
    if (this.over) return;
    this.over = true;
    this.options.queues.remove(this.lag);
    this.lag.close();
    const releaseMemory = this.encoder.abandon();
    this.merger.destroy();
    this.publisher?.destroy();
    // Not at once: the call may come from a stage that still uses one of the frames.
    setImmediate(releaseMemory);
  }

  private writeNow(batch: EncodedBatch): boolean {
    return this.publisher !== undefined && this.state === 'publishing' && writeNow(batch, this.publisher);
  }

  private handshakeDone(): void {
    const { clock, queues } = this.options;
    this.publishingSince = clock.now();
    this.writer.out.direct = this.publisher?.takesOffers === true;
    const ends = this.publisher?.ends;
    if (ends !== undefined && !this.over) queues.add(this.lag, ends);
  }

  private received(bytes: Buffer): void {
    if (this.over) return;
    this.heard = true;
    this.replies.receive(bytes);
  }

  // What the messages of the server need: RepliesOwner

  handle(event: ServerEvent): void {
    this.answer(event);
    if (event.kind === 'ack') {
      this.encoder.acked.update(event.sequence, this.publisher?.writtenBytes ?? 0);
      this.lag.acknowledged();
    }
    this.owner.serverEvent(this, event);
  }

  pauseReplies(): void {
    this.publisher?.pauseReplies();
  }

  resumeReplies(): void {
    this.publisher?.resumeReplies();
  }

  private answer(event: ServerEvent): void {
    const reply = protocolReply(event);
    if (reply === undefined || this.merger.writableEnded) return;
    this.control(reply);
    if (event.kind !== 'peerBandwidth' || event.announce === undefined) return;
    // The announcement set a window, too. If the window for this connection must be smaller, its message has to follow.
    this.window = this.windowLimit = event.announce;
    this.askForAcks();
  }

  private control({ type, payload }: ControlOut): void {
    if (this.encoder.charged('flush_failed', () => this.writer.control(type, payload))) this.merger.flush();
  }
}
