import type { ConnectData } from '../kmp/connect-data.js';
import type { Logger } from '../base/logger.js';
import { maskIn, maskKey } from '../base/mask.js';
import type { Frame } from '../media/frame.js';
import { codecName } from '../media/codec.js';
import type { MediaInfo } from '../media/media-info.js';
import { lacksPrivateData } from '../rtmp/media-tags.js';
import type { CloseReason, NotificationReason } from './report/close-reason.js';
import { describeUpstream, type Breakage } from './describe-upstream.js';
import { destinationOf, type Destination } from './connection/destination.js';
import { rtmpDumpName } from '../dump/dump-name.js';
import { openDump } from '../dump/dump.js';
import { Ledger } from './tracks/ledger.js';
import { PublishSession, type SessionOwner } from './connection/session.js';
import { SessionSet } from './connection/session-set.js';
import type { PastFailure } from './destination/destination-backoff.js';
import { NO_ROOM } from './connection/stream-announcer.js';
import { Overload } from './tracks/overload.js';
import type { Timer } from '../time/clock.js';
import { turnScheduleOf, type TurnSchedule } from '../time/turn-schedule.js';
import type { LastStatus, UpstreamState, UpstreamStatus } from './report/status.js';
import { UpstreamStream } from './tracks/stream.js';
import { BYTES } from './report/byte-counts.js';
import { addSums, emptySums, type Counting, type Sums } from './report/totals.js';
import { TrackMemory, type AdmitFailure } from './tracks/track-memory.js';
import { Track, type TrackStream } from './tracks/track.js';
import type { TrackInput } from './tracks/track-input.js';
import { streamNameOf } from './tracks/stream-name.js';
import { TrackRefused, TrackTaken } from './tracks/track-refused.js';
import type { UpstreamOptions } from './upstream-options.js';

/**
 * ms without a sender after which a broken connection is not opened again. A sender that reconnects later sends again
 * what was not acknowledged.
 */
const DESERTED_AFTER = 60_000;

/** The same if nothing was ever published, ms: long enough for a sender that reconnects. */
const UNPUBLISHED_DESERTED_AFTER = 10_000;

/** What used the memory when the limit was reached, by close reason. */
const ADMITTED: Readonly<Record<AdmitFailure, string>> = {
  get_buf_failed: 'received frames',
  alloc_chain_failed: 'pieces of frames',
  push_frame_failed: 'queued frames',
};

/**
 * - `open`: tracks join and leave;
 * - `dropping`: the upstream was asked to end; queued frames are written or dropped, and no track joins;
 * - `closing`: all streams have ended, and encoded bytes are sent;
 * - `ended`
 */
type Phase = 'open' | 'dropping' | 'closing' | 'ended';

/**
 * All tracks of one `upstream_id`. It decides when its streams and tracks begin and end (docs/protocol/behaviour.md,
 * Lifetimes). A {@link PublishSession} does the RTMP side. There are several if the server supports only one stream per
 * connection.
 */
export class Upstream implements SessionOwner, Counting {
  readonly id: string;
  readonly connection: number;
  readonly data: ConnectData;
  readonly ledger: Ledger;
  readonly schedule: TurnSchedule;
  readonly log: Logger;
  readonly streams = new Map<string, UpstreamStream>();
  /** Monotonic ms. */
  readonly createdAt: number;
  /** The last status that the server sent. */
  serverStatus: LastStatus | null = null;
  lastBreakage: Breakage | undefined;
  private readonly options: UpstreamOptions;
  private readonly destination: Destination;
  private readonly sessions: SessionSet;
  private readonly overload: Overload;
  /** Counts of ended tracks. */
  private readonly endedTracks = emptySums();
  private phase: Phase = 'open';
  /** Monotonic ms at which the last input left. */
  private inputLeftAt = Infinity;
  private desertedTimer: Timer | undefined;
  /** Inputs that only wait for the acks of the frames they have sent. */
  private finishing: TrackInput[] = [];
  private finalReason: CloseReason = 'done';
  private finalMessage = 'all streams have ended and every byte is sent';

  /** @throws RtmpUrlError if the URL of the connect data is invalid */
  constructor(options: UpstreamOptions) {
    const { id, connection, data, settings, clock, log } = options;
    this.options = options;
    this.id = id;
    this.connection = connection;
    this.data = data;
    this.log = log;
    this.destination = destinationOf(data, settings);
    this.ledger = new Ledger(settings.outMemLimit);
    this.overload = new Overload(this.ledger, log);
    this.schedule = turnScheduleOf(settings, clock);
    this.createdAt = clock.now();
    this.sessions = new SessionSet(this.newSession(streamNameOf(data)));
  }

  /** Begins to connect. `codec`: the codec of the first track. */
  start(codec: number): void {
    const copied = Buffer.byteLength(JSON.stringify(this.data));
    if (!this.ledger.charge(copied)) {
      this.fail('alloc_failed', `the connect data (${copied} bytes) is larger than the memory limit`);
      return;
    }
    this.sessions.main.open([codec]);
  }

  get ended(): boolean {
    return this.phase === 'ended';
  }

  /** True while it can have streams. During that time, no other upstream can have its id. */
  get isOpen(): boolean {
    return this.phase === 'open' || this.phase === 'dropping';
  }

  get isDropping(): boolean {
    return this.finalReason !== 'done';
  }

  get state(): UpstreamState {
    return this.isOpen ? this.sessions.state : 'closing';
  }

  get reconnects(): number {
    return this.sessions.reconnects;
  }

  /** True if it has had no sender for so long that none is likely to return. */
  get isDeserted(): boolean {
    return !this.hasInput && this.options.clock.now() - this.inputLeftAt >= this.desertedAfter;
  }

  private get hasInput(): boolean {
    for (const { input } of this.allTracks()) if (input !== undefined) return true;
    return false;
  }

  /** ms without a sender. A destination that was tried in vain and never took anything is given up earlier. */
  private get desertedAfter(): number {
    const inVain = this.reconnects > 0 && [...this.sessions].every((session) => session.isUnpublished);
    return inVain ? UNPUBLISHED_DESERTED_AFTER : DESERTED_AFTER;
  }

  /**
   * Adds the track that `info` announces. If the track exists without an input, `input` takes it over. Returns
   * undefined if the upstream has failed because of this, or is being dropped.
   *
   * @throws TrackRefused
   */
  attach(input: TrackInput, data: ConnectData, info: MediaInfo, initialFrameId: bigint): Track | undefined {
    const name = streamNameOf(data);
    if (this.phase !== 'open') return undefined;
    const stream = this.streams.get(name) ?? this.createStream(name, info.codecId);
    if (stream === undefined) return undefined;
    const existing = stream.tracks[info.mediaType];
    if (existing !== undefined) {
      if (existing.input !== undefined) {
        throw new TrackTaken(
          `stream ${maskKey(name)} has a ${info.mediaType} track already, from connection ${existing.input.connection}`,
        );
      }
      existing.takeInput(input, initialFrameId);
      return existing;
    }
    const late = stream.settled && !stream.announced.has(info.mediaType);
    if (late && this.options.settings.outLateTracks === 'reject') {
      throw new TrackRefused(
        `stream ${maskKey(name)} has sent its metadata without ${info.mediaType}; see kmp_rtmp_out_late_tracks`,
      );
    }
    return this.createTrack(stream, input, info, initialFrameId);
  }

  /** Takes a media info for an existing track. A changed one is queued between the frames. */
  changeInfo(track: Track, info: MediaInfo): void {
    track.setInfo(info);
    if (lacksPrivateData(info) && !track.privateDataMissed) {
      track.privateDataMissed = true;
      const codec = codecName(info.codecId);
      this.log.warn(
        `no codec private data for ${codec}: the stream has no sequence header, and most players cannot decode it`,
        { stream: maskKey(track.stream.name), track: track.mediaType },
      );
    }
    this.chargeInfos(track);
  }

  /**
   * Whether a received frame is admitted, or dropped because memory runs out; see `kmp_rtmp_out_overload`. While the
   * upstream waits for a server, nothing can take its frames: they are dropped without that directive, too.
   */
  admits(track: Track, frame: Frame): boolean {
    const { overload } = this;
    if (track.stream.outlet?.isWaiting === true) {
      const waiting = [...this.allTracks()].filter((one) => one.stream.outlet?.isWaiting === true);
      return overload.admitsWaiting(track, frame, waiting);
    }
    if (this.options.settings.outOverload === 'drop_frames') return overload.admits(track, frame, this.allTracks());
    return overload.endsGroup(track, frame);
  }

  /** Takes numbered frames: counts their memory and passes them to the merger. */
  accept(track: Track, frames: readonly Frame[]): void {
    const failure = track.memory.admit(frames);
    if (failure !== undefined) {
      this.fail(failure, `the memory limit of ${this.ledger.limit} bytes was reached by ${ADMITTED[failure]}`);
      return;
    }
    track.stream.outlet?.write(track, frames);
  }

  /** The input of a track has left. Queued frames are written, then the track ends. */
  detach(track: Track): void {
    track.input = undefined;
    this.inputLeftAt = this.options.clock.now();
    if (this.ended) return;
    track.stream.outlet?.inputLeft(track);
    this.watchForSenders();
  }

  /** The sender of a track has announced the end. Its input stays open until the last frame is acknowledged. */
  awaitLastAck(track: Track, input: TrackInput): void {
    this.finishing = this.finishing.filter((one) => !one.isClosed);
    this.finishing.push(input);
    track.awaitLastAck(input);
    if (this.ended) input.close(this.finalReason);
  }

  /** Drops the pending frames of a track, without acknowledging them: the sender may send them again elsewhere. */
  clear(track: Track): void {
    for (const frame of track.removeUnless(() => false)) track.drop(frame);
    track.changes.length = 0;
    this.chargeInfos(track);
  }

  /** Ends the upstream in order: inputs are closed, streams are unpublished, and encoded bytes are sent. */
  drop(reason: CloseReason, keepFrames: boolean): void {
    if (!this.isOpen) return;
    this.phase = 'dropping';
    this.finalReason = reason;
    this.finalMessage = 'as requested';
    if (!keepFrames && this.sessions.main.state !== 'publishing') {
      this.fail(reason, 'as requested, without a connection');
      return;
    }
    if (keepFrames) for (const session of this.sessions) session.stopWaiting();
    for (const stream of [...this.streams.values()]) {
      if (keepFrames && !stream.settled) this.settle(stream);
      this.dropTracks(stream, reason, keepFrames);
    }
    const { state } = this;
    if (state === 'waiting' || state === 'reconnecting') this.fail(reason, 'as requested, without a connection');
  }

  /** Drops one KMP connection. Returns false if it does not belong to this upstream. */
  dropInput(connection: number): boolean {
    for (const { input } of this.allTracks()) {
      if (input?.connection !== connection) continue;
      input.close('api_delete');
      return true;
    }
    return false;
  }

  /**
   * Ends the upstream at once, with all its inputs. If it was being dropped already, the original close reason stays.
   */
  fail(reason: CloseReason, message: string): void {
    if (this.ended) return;
    this.end(this.isDropping ? this.finalReason : reason, message);
    for (const stream of this.streams.values()) stream.metaTimer?.cancel();
    for (const track of [...this.allTracks()]) track.input?.close(reason);
    for (const session of this.sessions) session.destroy();
  }

  sessionClosed(session: PublishSession): void {
    this.sessions.remove(session);
    if (this.phase === 'closing' && this.sessions.isEmpty) this.end(this.finalReason, this.finalMessage);
  }

  streamRejected({ name }: TrackStream, message: string): void {
    const stream = this.streams.get(name);
    if (stream === undefined || this.streams.size === 1) {
      this.fail('publish_rejected', message);
      return;
    }
    this.log.error(`the server refuses a stream: ${message}`, { stream: maskKey(name) });
    this.dropTracks(stream, 'publish_rejected', false);
  }

  streamNeedsSession({ name }: TrackStream): void {
    const stream = this.streams.get(name);
    if (stream === undefined) return;
    this.log.info('the stream gets a separate RTMP connection', { stream: maskKey(name) });
    const tracks = stream.allTracks();
    const session = this.addSession(stream);
    for (const track of tracks) session.streams.addTrack(track);
    session.open(tracks.map((track) => track.info.codecId));
  }

  trackEnded(track: Track): void {
    if (!this.ended) this.endTrack(track);
  }

  mask(text: string): string {
    const { user = '', password = '' } = this.destination.url;
    const names = [...this.streams.keys()].flatMap((name) => [name, name.replace(/[?#].*$/s, '')]);
    return maskIn(text, [...names, user, password]).replaceAll(/\buser=[^&\s\]]*/g, 'user=***');
  }

  lastStatus(status: LastStatus): void {
    this.serverStatus = status;
  }

  waiting({ reason, message, at }: PastFailure): void {
    this.lastBreakage = { reason, message, at };
    const wait = Math.round((this.sessions.nextAttempt?.at ?? at) - this.options.clock.now());
    this.log.warn(`the destination has failed lately; next attempt in ${Math.max(0, wait)} ms: ${message}`);
  }

  reconnecting(reason: NotificationReason, message?: string): void {
    const at = this.options.clock.now();
    // What counts as deserted depends on whether there were attempts.
    this.watchForSenders();
    if (message !== undefined) this.lastBreakage = { reason, message: this.mask(message), at };
    this.options.onReconnect?.(reason);
  }

  status(): UpstreamStatus {
    return describeUpstream(this, this.sessions, this.options.clock.now());
  }

  addTo(sums: Sums): void {
    addSums(sums, this.endedTracks);
    for (const track of this.allTracks()) track.addTo(sums);
    const { bytes, reconnects } = this.sessions;
    for (const field of BYTES) sums[field] += bytes[field];
    sums.reconnects += reconnects;
  }

  *allTracks(): Iterable<Track> {
    for (const stream of this.streams.values()) yield* stream.allTracks();
  }

  /** Without senders, sessions that wait for a server stop to wait after a while. */
  private watchForSenders(): void {
    this.desertedTimer?.cancel();
    if (this.ended || this.hasInput) return;
    const { clock } = this.options;
    const check = (): void => {
      if (this.ended || this.hasInput) return;
      if (this.isDeserted) for (const session of this.sessions) session.deserted();
      else this.watchForSenders();
    };
    const wait = Math.max(0, this.inputLeftAt + this.desertedAfter - clock.now());
    this.desertedTimer = clock.after(wait, check, false);
  }

  /**
   * Updates the memory charged for the media infos of a track. Returns false if the upstream has failed because of
   * this.
   */
  private chargeInfos(track: Track): boolean {
    if (track.chargeInfos()) return true;
    this.fail('add_media_info_failed', NO_ROOM);
    return false;
  }

  private newSession(streamName: string): PublishSession {
    const { settings, clock, resolve, permit, destinations, addresses } = this.options;
    const { ledger, id, connection, log, schedule } = this;
    const folder = settings.outDumpFolder;
    const dump = folder === '' ? undefined : () => openDump(folder, rtmpDumpName(clock.wall(), id, connection), log);
    const options = { settings, clock, schedule, resolve, permit, dump, ledger, destinations, addresses };
    return new PublishSession(options, this.destination, streamName, this);
  }

  /** A further session that publishes only `stream`. */
  private addSession(stream: UpstreamStream): PublishSession {
    const session = this.newSession(stream.name);
    this.sessions.add(session);
    stream.outlet = session.streams;
    session.streams.addStream(stream);
    return session;
  }

  private createStream(name: string, codec: number): UpstreamStream | undefined {
    const stream = new UpstreamStream(name, this.options.clock.now());
    this.streams.set(name, stream);
    const { main } = this.sessions;
    const { outConnection } = this.options.settings;
    // A stream that was refused a moment ago waits for its turn, and the others go on.
    const alone = main.oneStream || outConnection === 'stream' || main.isClosedOff(name);
    if (!alone || main.streams.isEmpty) {
      stream.outlet = main.streams;
      return main.streams.addStream(stream) ? stream : undefined;
    }
    this.addSession(stream).open([codec]);
    return this.ended ? undefined : stream;
  }

  private createTrack(
    stream: UpstreamStream,
    input: TrackInput,
    info: MediaInfo,
    initialFrameId: bigint,
  ): Track | undefined {
    const memory = new TrackMemory(this.ledger);
    if (!memory.setInfos(0)) {
      this.fail('create_track_failed', 'the memory limit leaves no room for a track');
      return undefined;
    }
    const track = new Track(stream, memory, info, stream.endedTracks.successor(info, initialFrameId));
    if (!this.chargeInfos(track)) return undefined;
    track.input = input;
    stream.addTrack(track);
    stream.outlet?.addTrack(track);
    this.log.info('track added', { stream: maskKey(stream.name), track: info.mediaType, connection: input.connection });
    if (stream.settled || stream.isComplete) {
      this.settle(stream);
    } else {
      stream.metaTimer?.cancel();
      stream.metaTimer = this.options.clock.after(this.options.settings.outWriteMetaTimeout, () => this.settle(stream));
    }
    return track;
  }

  /**
   * The tracks of the stream are known, or the time to wait for them is over. From now on, metadata, sequence headers
   * and frames are written.
   */
  private settle(stream: UpstreamStream): void {
    stream.metaTimer?.cancel();
    stream.metaTimer = undefined;
    if (this.ended) return;
    stream.settled = true;
    for (const { mediaType } of stream.allTracks()) stream.announced.add(mediaType);
    stream.outlet?.announce(stream);
  }

  private dropTracks(stream: UpstreamStream, reason: CloseReason, keepFrames: boolean): void {
    for (const track of stream.allTracks()) {
      const { input } = track;
      if (!keepFrames) {
        this.clear(track);
        input?.close(reason);
      } else if (input !== undefined) {
        // The sender gets acks for the frames that were sent, so it does not send them again to the next process.
        input.finish();
        this.finishing.push(input);
        stream.outlet?.inputLeft(track);
      }
      if (track.length === 0) this.endTrack(track);
    }
  }

  private endTrack(track: Track): void {
    const stream = this.streams.get(track.stream.name);
    // Closing its input or writing its last frame may have ended the track already.
    if (stream === undefined || track.isGone) return;
    stream.removeTrack(track);
    stream.outlet?.removeTrack(track);
    track.memory.close();
    track.addTo(this.endedTracks);
    if (!stream.isEmpty) {
      this.log.info('track ended', { stream: maskKey(stream.name), track: track.mediaType });
      return;
    }
    this.removeStream(stream);
  }

  private removeStream(stream: UpstreamStream): void {
    stream.metaTimer?.cancel();
    this.streams.delete(stream.name);
    stream.outlet?.removeStream(stream);
    this.log.info('stream ended', { stream: maskKey(stream.name) });
    if (this.ended) return;
    if (this.streams.size === 0) {
      this.phase = 'closing';
      for (const session of this.sessions) session.finish();
    } else {
      this.sessions.finishEmpty();
    }
  }

  private end(reason: CloseReason, message: string): void {
    if (this.ended) return;
    this.phase = 'ended';
    this.desertedTimer?.cancel();
    for (const input of this.finishing) input.close(reason);
    this.options.onEnd(reason, message);
  }
}
