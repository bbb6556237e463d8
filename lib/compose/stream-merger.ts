import { systemClock, type Clock, type Timer } from '../time/clock.js';
import { mediaSettings, type MediaSettings } from '../config/settings.js';
import { KmpRtmpError } from '../base/errors.js';
import type { MediaInfo } from '../media/media-info.js';
import { Merger } from '../merge/merger.js';
import type { ControlOut } from '../rtmp/message/control.js';
import type { PublishError } from '../rtmp/publish-error.js';
import type { OutputBatch } from '../rtmp/network/publisher.js';
import { enhancedProperties } from '../rtmp/enhanced.js';
import { SessionWriter, type StreamState } from '../rtmp/session-writer.js';
import type { Writable } from '../base/streams.js';
import { destinationOf } from '../upstream/connection/destination.js';
import { FrameRules } from '../upstream/intake/frame-rules.js';
import { streamNameOf } from '../upstream/tracks/stream-name.js';
import { connectDataOf, type PublishOptions } from './publish-options.js';
import { PublishNegotiation, type NegotiationOwner } from './publish-negotiation.js';
import type { Verdict } from './publish-verdict.js';
import { StreamSink } from './stream-sink.js';
import { StreamTrack } from './stream-track.js';
import { TrackWriter, type TrackOwner } from './track-writer.js';

/** Options of {@link StreamMerger}. */
export interface StreamMergerOptions extends Pick<PublishOptions, 'settings' | 'connect' | 'clock'> {
  /** Bytes of queued frames on a track from which on its writer is held back. Default 8 MiB. */
  readonly maxPending?: number;
}

const MAX_PENDING = 8 * 1024 * 1024;

/**
 * The middle stage of a pipeline: merges the tracks of one stream by time and encodes them. Write the tracks to the
 * results of {@link track}, and pipe the merger into an {@link rtmpPublisher}.
 *
 *     const merger = new StreamMerger(url);
 *     const tracks = files.map((file) => ({ file, track: merger.track() }));
 *     await Promise.all([
 *       pipeline(merger, rtmpPublisher(url, { merger })),
 *       ...tracks.map(({ file, track }) => pipeline(createReadStream(file), new KmpDecoder({ dump: true }), track)),
 *     ]);
 *
 * It merges, encodes and waits for the server's answers as the service does (`outStreamId`, `outAnswerTimeout`), but
 * does not reconnect, log in or acknowledge; see `publishTo` for that. With another last stage than `rtmpPublisher`, it
 * waits for no answer and assumes that the server gives stream id 1. In that case, give the server's bytes to
 * {@link reply}.
 * When all tracks have ended, the stream is unpublished, and the publisher closes the connection.
 */
export class StreamMerger extends Merger<StreamTrack, OutputBatch> implements TrackOwner, NegotiationOwner {
  private readonly encoder: StreamSink;
  private readonly session: SessionWriter;
  private readonly settings: MediaSettings;
  private readonly time: Clock;
  private readonly maxPending: number;
  private readonly negotiation: PublishNegotiation;
  private readonly writers = new Set<TrackWriter>();
  private metaTimer: Timer | undefined;
  private started = false;
  /** True if metadata and headers can be written as soon as the stream is published. */
  private startsWhenReady = false;

  /**
   * @param url the same as for the publisher; app, stream and tcUrl come from it
   * @throws RtmpUrlError; KmpRtmpError config_unknown for an unknown setting
   */
  constructor(url: string, options: StreamMergerOptions = {}) {
    const settings = mediaSettings(options.settings);
    const clock = options.clock ?? systemClock;
    const data = connectDataOf(url, options.connect);
    const session = new SessionWriter({
      chunkSize: settings.outChunkSize,
      metadataName: settings.outMetadataName,
      onFiPeriod: settings.outOnfiPeriod,
      enhanced: settings.outEnhanced === 'on',
    });
    const extra = enhancedProperties(settings.outEnhanced, []);
    const { params } = destinationOf(data, settings);
    const connectTransaction = session.connect(extra === undefined ? params : { ...params, extra });
    const sink = new StreamSink(session);
    super({
      clock,
      sink,
      minDelay: settings.outMinProcessDelay,
      maxDelay: settings.outMaxProcessDelay,
      earlyRelease: settings.outEarlyRelease,
      bufferSize: settings.outBufferSize,
      flushTimeout: settings.outFlushTimeout,
    });
    sink.onTrackEnded = (track) => this.drained(track);
    this.encoder = sink;
    this.session = session;
    this.settings = settings;
    this.time = clock;
    this.maxPending = options.maxPending ?? MAX_PENDING;
    const streamName = streamNameOf(data);
    this.negotiation = new PublishNegotiation({ session, streamName, connectTransaction, settings, clock }, this);
    this.hold(true);
  }

  /**
   * A Writable for one track, which takes the batches of a `KmpDecoder`. Create all tracks before you write to the
   * first one: the metadata waits for all of them, for at most `outWriteMetaTimeout` ms.
   *
   * @throws KmpRtmpError stream_ended after all earlier tracks have ended
   */
  track(): Writable {
    if (this.writableEnded || this.destroyed) {
      throw new KmpRtmpError('stream_ended', 'the stream has ended with its last track; create another merger');
    }
    const { encoder, maxPending } = this;
    const track = new StreamTrack({ queues: encoder.tracks });
    const writer = new TrackWriter(track, this, new FrameRules(this.settings), maxPending);
    encoder.tracks.push(track);
    this.writers.add(writer);
    this.add(track);
    writer.on('close', () => this.writers.delete(writer));
    return writer;
  }

  /**
   * Handles the bytes of the server (it is bound). Only for a last stage other than `rtmpPublisher`, which does this by
   * itself. A refusal destroys the merger with a `PublishError`.
   */
  readonly reply = (bytes: Buffer): void => {
    if (!this.destroyed) this.negotiation.feed(bytes);
  };

  /**
   * A publisher brings the server's answers from now on.
   *
   * @internal
   */
  attach(): { readonly verdict: Verdict; connected(): void } {
    this.negotiation.attach();
    return { verdict: this.negotiation, connected: () => this.negotiation.connected() };
  }

  /** @internal */
  answer({ type, payload }: ControlOut): void {
    if (this.writableEnded || this.destroyed) return;
    this.session.control(type, payload);
    this.flush();
  }

  /** @internal */
  publishReady(stream: StreamState): void {
    this.encoder.stream = stream;
    if (this.startsWhenReady) this.start();
    this.hold(false);
    for (const track of [...this.encoder.tracks]) if (track.ended && track.length === 0) this.drained(track);
  }

  /** @internal */
  publishFailed(error: PublishError): void {
    this.destroy(error);
  }

  override flush(): void {
    this.negotiation.begin();
    super.flush();
  }

  /** @internal */
  announced(track: StreamTrack, info: MediaInfo): void {
    const { tracks } = this.encoder;
    if (tracks.some((other) => other !== track && other.info?.mediaType === info.mediaType)) {
      throw new KmpRtmpError('track_refused', `the stream already has a track of type ${info.mediaType}`);
    }
    if (this.started) {
      track.ready = true;
      this.encoder.headers([track]);
    } else if (tracks.every((one) => one.info !== undefined)) {
      this.start();
    } else {
      this.metaTimer ??= this.time.after(this.settings.outWriteMetaTimeout, () => this.start());
    }
  }

  /** @internal */
  ended(track: StreamTrack): void {
    track.ended = true;
    if (this.destroyed) return;
    if (track.length === 0) this.drained(track);
    const { tracks } = this.encoder;
    if (!this.started && tracks.length > 0 && tracks.every(({ info }) => info !== undefined)) this.start();
    // Without open tracks, there is nothing to wait for.
    if (tracks.every((one) => one.ended)) this.stopWaiting();
    else this.changed();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.metaTimer?.cancel();
    this.negotiation.close();
    // A track that has ended may not have emitted `finish` yet, if the last stage was faster.
    for (const writer of [...this.writers]) if (error !== null || !writer.writableEnded) writer.destroy();
    super._destroy(error, callback);
  }

  /** All tracks are known, or the time for waiting is over: writes metadata and sequence headers. */
  private start(): void {
    this.metaTimer?.cancel();
    this.startsWhenReady = true;
    if (!this.negotiation.begin() || this.started || this.destroyed) return;
    this.started = true;
    const known = this.encoder.tracks.filter(({ info }) => info !== undefined);
    this.encoder.headers(known);
    for (const track of known) track.ready = true;
    this.changed();
  }

  private drained(track: StreamTrack): void {
    if (!this.negotiation.begin()) return;
    const { tracks } = this.encoder;
    // The beginning may have removed this track.
    const i = tracks.indexOf(track);
    if (i < 0) return;
    tracks.splice(i, 1);
    this.remove(track);
    if (tracks.length > 0) return;
    this.metaTimer?.cancel();
    this.encoder.unpublish();
    this.end();
  }
}
