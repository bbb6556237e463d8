import type { Clock } from '../clock.js';
import type { MediaSettings } from '../config/settings.js';
import { KmpRtmpError, messageOf } from '../errors.js';
import type { ConnectData } from '../kmp/connect-data.js';
import type { Logger } from '../log.js';
import { maskKey } from '../mask.js';
import type { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import { Merger } from '../merge/merger.js';
import { RtmpPublisher } from '../rtmp/publisher.js';
import type { Resolve } from '../rtmp/resolve.js';
import { SessionWriter } from '../rtmp/session-writer.js';
import { pumpify } from '../streams.js';
import { reasonOf, type CloseReason } from './close-reason.js';
import type { Destination } from './destination.js';
import { destinationOf, streamNameOf } from './destination.js';
import { frameCharge, Ledger, TRACK_COST } from './ledger.js';
import { UpstreamSink, type SentBatch, type SinkOwner } from './sink.js';
import type { LastStatus, StreamStatus, UpstreamState, UpstreamStatus } from './status.js';
import { UpstreamStream } from './stream.js';
import { Track } from './track.js';
import type { TrackInput } from './track-input.js';

/** A track that may not join: its connection is closed, the upstream goes on. */
export class TrackRefused extends KmpRtmpError {
  constructor(message: string) {
    super('TRACK_REFUSED', message);
  }
}

export interface UpstreamOptions {
  readonly id: string;
  /** Number of the RTMP connection, unique in this process. */
  readonly connection: number;
  readonly data: ConnectData;
  readonly settings: MediaSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly resolve: Resolve;
  readonly permit?: (address: string, port: number) => boolean;
  /** Called once, when it is over. */
  readonly onEnd: (upstream: Upstream, reason: CloseReason, message: string) => void;
}

/**
 * One RTMP connection with its streams and tracks: the order of their lives, and nothing else (spec/behaviour.md, Lives).
 */
export class Upstream implements SinkOwner {
  readonly id: string;
  readonly connection: number;
  readonly data: ConnectData;
  readonly ledger: Ledger;
  readonly streams = new Map<string, UpstreamStream>();
  state: UpstreamState = 'resolving';
  lastStatus: LastStatus | null = null;
  ended = false;
  private readonly options: UpstreamOptions;
  private readonly destination: Destination;
  private readonly merger: Merger<Track, SentBatch>;
  private readonly sink: UpstreamSink;
  private readonly createdAt: number;
  private publisher: RtmpPublisher;
  private finalReason: CloseReason = 'done';
  private reconnects = 0;

  /**
   * @throws RtmpUrlError, TrackRefused
   */
  constructor(options: UpstreamOptions) {
    const { id, connection, data, settings, clock } = options;
    this.options = options;
    this.id = id;
    this.connection = connection;
    this.data = data;
    this.destination = destinationOf(data, settings);
    this.ledger = new Ledger(settings.outMemLimit);
    this.createdAt = clock.now();
    this.sink = new UpstreamSink(this.newSession(), this.ledger, this);
    this.merger = new Merger<Track, SentBatch>({
      clock,
      sink: this.sink,
      minDelay: settings.outMinProcessDelay,
      maxDelay: settings.outMaxProcessDelay,
      earlyRelease: settings.outEarlyRelease,
      bufferSize: settings.outBufferSize,
      flushTimeout: settings.outFlushTimeout,
    });
    this.publisher = this.newPublisher();
  }

  /** Begins to connect. */
  start(): void {
    const { data, sink } = this;
    const copied = Buffer.byteLength(JSON.stringify(data));
    if (!this.ledger.charge(copied)) {
      this.fail('alloc_failed', `the connect data (${copied} bytes) is larger than the memory limit`);
      return;
    }
    if (!sink.charged('write_connect_failed', () => sink.session.connect(this.destination.params))) return;
    this.join();
  }

  /**
   * Adds the track that `info` announces, or lets `input` take over the track that is there without one.
   *
   * @throws TrackRefused
   */
  attach(input: TrackInput, data: ConnectData, info: MediaInfo, initialFrameId: bigint): Track | undefined {
    const name = streamNameOf(data);
    if (name === '') throw new TrackRefused('neither "name" nor "url" of the connect data names a stream');
    const stream = this.streams.get(name) ?? this.createStream(name);
    if (stream === undefined) return undefined;
    const existing = stream.tracks[info.mediaType];
    if (existing !== undefined) {
      if (existing.input !== undefined) {
        throw new TrackRefused(
          `stream ${maskKey(name)} has a ${info.mediaType} track already, from connection ${existing.input.connection}`,
        );
      }
      existing.input = input;
      existing.ended = false;
      return existing;
    }
    if (stream.settled && this.options.settings.outLateTracks === 'reject') {
      throw new TrackRefused(
        `stream ${maskKey(name)} has sent its metadata without ${info.mediaType}; see kmp_rtmp_out_late_tracks`,
      );
    }
    return this.createTrack(stream, input, info, initialFrameId);
  }

  /** A media info that came on a track that is there: queued in its place if it is another one. */
  changeInfo(track: Track, info: MediaInfo): void {
    if (!track.setInfo(info)) return;
    if (!this.ledger.charge(info.extraData.length)) {
      this.fail('add_media_info_failed', 'the memory limit leaves no room for the codec private data');
      return;
    }
    track.fixedCharge += info.extraData.length;
  }

  /** Frames that have been charged and numbered go to the merger. */
  accept(track: Track, frames: readonly Frame[]): void {
    if (!this.ended) this.merger.write({ queue: track, frames });
  }

  /** The input of a track has ended: what is queued drains, then the track ends. */
  detach(track: Track): void {
    track.input = undefined;
    track.ended = true;
    if (this.ended) return;
    if (track.length === 0) this.drained(track);
    else this.merger.changed();
  }

  /** Drops a track's pending frames (a new sequence begins); they count as done. */
  clear(track: Track): void {
    for (const frame of track.filter(() => false)) this.releaseFrame(track, frame);
    track.changes.length = 0;
  }

  drained(track: Track): void {
    const { stream } = track;
    if (stream.tracks[track.mediaType] !== track) return;
    delete stream.tracks[track.mediaType];
    this.merger.remove(track);
    this.ledger.release(track.fixedCharge);
    if (!stream.isEmpty) {
      this.log.info('track ended', { stream: maskKey(stream.name), track: track.mediaType });
      return;
    }
    this.removeStream(stream);
    if (this.streams.size === 0) this.finish('done');
  }

  /** Ends the upstream in order: inputs are closed, streams unpublished, what is encoded is sent. */
  drop(reason: CloseReason, keepFrames: boolean): void {
    if (this.ended || this.state === 'closing') return;
    this.finalReason = reason;
    this.merger.hurry();
    for (const stream of [...this.streams.values()]) {
      if (keepFrames && !stream.settled) this.settle(stream);
      for (const track of [stream.tracks.video, stream.tracks.audio]) {
        if (track === undefined) continue;
        if (!keepFrames) this.clear(track);
        if (track.input !== undefined) track.input.close(reason);
        else if (track.length === 0) this.drained(track);
      }
    }
  }

  /** Drops one KMP connection; false if it is not one of this upstream's. */
  dropInput(connection: number): boolean {
    for (const stream of this.streams.values()) {
      for (const track of [stream.tracks.video, stream.tracks.audio]) {
        if (track?.input?.connection !== connection) continue;
        track.input.close('api_delete');
        return true;
      }
    }
    return false;
  }

  /** Ends the upstream at once, with all its inputs. */
  fail(reason: CloseReason, message: string): void {
    if (this.ended) return;
    this.end(reason, message);
    for (const stream of this.streams.values()) {
      stream.metaTimer?.cancel();
      for (const track of [stream.tracks.video, stream.tracks.audio]) track?.input?.close(reason);
    }
    this.merger.destroy();
    this.publisher.destroy();
  }

  /** Fresh metadata and the track's sequence header, in front of its next frame. */
  announce(track: Track): void {
    const { sink } = this;
    const { stream } = track;
    sink.charged('write_meta_failed', () => {
      this.writeMetadata(stream);
      sink.session.sequenceHeader(stream.state, track.info);
      track.announced = true;
    });
  }

  status(): UpstreamStatus {
    const now = this.options.clock.now();
    const streams: Record<string, StreamStatus> = Object.create(null) as Record<string, StreamStatus>;
    for (const [name, stream] of this.streams) streams[name] = stream.status(now);
    const { publisher, ledger, data } = this;
    return {
      url: data.url,
      header: data.header ?? '',
      opaque: data.opaque ?? '',
      remote_addr: publisher.remoteAddress,
      local_addr: publisher.localAddress,
      connection: this.connection,
      mem_limit: ledger.limit,
      mem_left: ledger.left,
      written_bytes: publisher.writtenBytes,
      sent_bytes: publisher.sentBytes,
      received_bytes: publisher.receivedBytes,
      streams,
      state: this.state,
      last_status: this.lastStatus,
      reconnects: this.reconnects,
      uptime: Math.floor((now - this.createdAt) / 1000),
    };
  }

  private get log(): Logger {
    return this.options.log;
  }

  private newSession(): SessionWriter {
    const { settings } = this.options;
    return new SessionWriter({
      chunkSize: settings.outChunkSize,
      metadataName: settings.outMetadataName,
      onFiPeriod: settings.outOnfiPeriod,
    });
  }

  private newPublisher(): RtmpPublisher {
    const { settings, clock, resolve, permit } = this.options;
    return new RtmpPublisher({
      target: this.destination.target,
      header: this.destination.header,
      timeout: settings.outTimeout,
      clock,
      resolve,
      ...(permit === undefined ? {} : { permit }),
      onState: (state) => {
        if (!this.ended) this.state = state;
        this.log.debug(`upstream ${state}`);
      },
    });
  }

  /** Merger and publisher become one line; its end or failure is the upstream's. */
  private join(): void {
    const line = new pumpify(this.merger, this.publisher);
    const { publisher } = this;
    line.on('error', () => {});
    publisher.on('error', (error) => this.fail(reasonOf(error), messageOf(error)));
    publisher.on('finish', () => {
      this.end(this.finalReason, 'all streams have ended and every byte is sent');
    });
    this.merger.on('error', (error) => this.fail('process_frame_failed', messageOf(error)));
  }

  private createStream(name: string): UpstreamStream | undefined {
    const { sink } = this;
    let stream: UpstreamStream | undefined;
    const ok = sink.charged('create_stream_failed', () => {
      const state = sink.session.createStream(name, true);
      stream = new UpstreamStream(name, state, this.options.clock.now());
      this.streams.set(name, stream);
    });
    if (!ok) return undefined;
    this.merger.flush();
    return stream;
  }

  private createTrack(
    stream: UpstreamStream,
    input: TrackInput,
    info: MediaInfo,
    initialFrameId: bigint,
  ): Track | undefined {
    if (!this.ledger.charge(TRACK_COST)) {
      this.fail('create_track_failed', 'the memory limit leaves no room for a track');
      return undefined;
    }
    if (!this.ledger.charge(info.extraData.length)) {
      this.fail('add_media_info_failed', 'the memory limit leaves no room for the codec private data');
      return undefined;
    }
    const track = new Track(stream, info, initialFrameId);
    track.fixedCharge = TRACK_COST + info.extraData.length;
    track.input = input;
    stream.tracks[info.mediaType] = track;
    this.merger.add(track);
    this.log.info('track added', { stream: maskKey(stream.name), track: info.mediaType, connection: input.connection });
    if (stream.settled) {
      track.ready = true;
      this.announce(track);
    } else if (stream.isComplete) {
      this.settle(stream);
    } else {
      stream.metaTimer?.cancel();
      stream.metaTimer = this.options.clock.after(this.options.settings.outWriteMetaTimeout, () => this.settle(stream));
    }
    return track;
  }

  /** The stream's tracks are known, or were waited for long enough: metadata, sequence headers, then the frames. */
  private settle(stream: UpstreamStream): void {
    stream.metaTimer?.cancel();
    stream.metaTimer = undefined;
    if (this.ended) return;
    const { sink } = this;
    stream.settled = true;
    const ok = sink.charged('write_meta_failed', () => {
      this.writeMetadata(stream);
      for (const track of [stream.tracks.video, stream.tracks.audio]) {
        if (track === undefined) continue;
        track.applyChanges(track.head?.seq ?? track.ids.next);
        sink.session.sequenceHeader(stream.state, track.info);
        track.announced = true;
        track.ready = true;
      }
    });
    if (ok) this.merger.changed();
  }

  private writeMetadata(stream: UpstreamStream): void {
    const video = stream.tracks.video?.info;
    const audio = stream.tracks.audio?.info;
    this.sink.session.metadata(
      stream.state,
      video?.mediaType === 'video' ? video : undefined,
      audio?.mediaType === 'audio' ? audio : undefined,
    );
    stream.metadataSent = true;
  }

  private removeStream(stream: UpstreamStream): void {
    stream.metaTimer?.cancel();
    this.streams.delete(stream.name);
    const { sink } = this;
    sink.charged('unpublish_stream_failed', () => sink.session.unpublish(stream.state));
    this.log.info('stream ended', { stream: maskKey(stream.name) });
  }

  private finish(reason: CloseReason): void {
    if (this.ended) return;
    if (this.finalReason === 'done') this.finalReason = reason;
    this.state = 'closing';
    this.merger.end();
  }

  private end(reason: CloseReason, message: string): void {
    if (this.ended) return;
    this.ended = true;
    this.state = 'closing';
    this.options.onEnd(this, reason, message);
  }

  private releaseFrame(track: Track, frame: Frame): void {
    const charge = frameCharge(frame);
    this.ledger.release(charge);
    track.memUsed -= charge;
  }
}
