import { maskKey } from '../base/mask.js';
import type { ConnectData } from '../kmp/connect-data.js';
import { codecName } from '../media/codec.js';
import type { MediaInfo } from '../media/media-info.js';
import { lacksPrivateData } from '../rtmp/media-tags.js';
import type { AbsentInputs } from './absent-inputs.js';
import type { PublishSession } from './connection/session.js';
import type { SessionSet } from './connection/session-set.js';
import { NO_ROOM } from './connection/stream-announcer.js';
import type { CloseReason } from './report/close-reason.js';
import type { Publications } from './report/publications.js';
import { addSums, emptySums, type Sums } from './report/totals.js';
import type { Ledger } from './tracks/ledger.js';
import { slateFiles, slatePath } from './slate/slate-files.js';
import { Slates } from './slate/slates.js';
import { streamNameOf } from './tracks/stream-name.js';
import { UpstreamStream } from './tracks/stream.js';
import type { Target } from './orders/target.js';
import type { TrackInput } from './tracks/track-input.js';
import { TrackMemory } from './tracks/track-memory.js';
import { SenderRejected, TrackRefused, TrackTaken } from './tracks/track-refused.js';
import { Track, type StreamOutlet } from './tracks/track.js';
import type { UpstreamOptions } from './upstream-options.js';

/** What the streams need from their upstream. */
export interface StreamSetOwner {
  readonly log: UpstreamOptions['log'];
  readonly ledger: Ledger;
  readonly sessions: SessionSet;
  readonly absentInputs: AbsentInputs;
  readonly ended: boolean;
  /** Where the streams are while an operator has disabled the upstream. */
  readonly hold: StreamOutlet & { readonly isActive: boolean };
  /** A session for a stream. `names`: of the stream, at each destination. */
  newSession(names: readonly string[]): PublishSession;
  /** Where the upstream publishes. */
  readonly target: Target;
  /** Ends the upstream at once. */
  fail(reason: CloseReason, message: string): void;
  /** The input of a track must finish: its sender gets the acks of the frames that were sent, then it is closed. */
  finishInput(input: TrackInput): void;
  readonly publications: Pick<Publications, 'started'>;
  /** All tracks of a stream have ended. */
  streamEnded(name: string): void;
  /** The last stream has ended. */
  lastStreamEnded(): void;
}

/** How many names of ended streams are known, for masking. */
const MAX_ENDED_NAMES = 32;

/** The streams of an upstream and their tracks: how they begin and end (docs/protocol/behaviour.md, Lifetimes). */
export class StreamSet {
  readonly byName = new Map<string, UpstreamStream>();
  /** Names of the streams that ended last, at all destinations. A server may still speak of them. */
  private endedNames: string[] = [];
  /** Counts of ended tracks. */
  private readonly endedTracks = emptySums();
  private endedSlowFrames = 0;
  private dropping = false;
  private readonly slates: Slates | undefined;

  constructor(
    private readonly owner: StreamSetOwner,
    private readonly options: Pick<UpstreamOptions, 'settings' | 'clock'>,
  ) {
    const { absentInputs, log } = owner;
    const { clock, settings } = options;
    if (settings.outSlate === 'none') return;
    const path = slatePath(settings.outSlate);
    this.slates = new Slates({
      clock,
      log,
      after: settings.outSlateAfter,
      file: () => (path === undefined ? undefined : slateFiles.get(path)),
      waits: (track) => absentInputs.waits(track),
      onMissing: (track) => absentInputs.missing(track),
    });
  }

  /** True while {@link dropTracks} runs: an input that it closes will not return. */
  get isDropping(): boolean {
    return this.dropping;
  }

  /** True if the media of all tracks is missing, and may return. */
  get isInputLost(): boolean {
    for (const { gap } of this.allTracks()) if (gap === undefined) return false;
    return this.size > 0;
  }

  get size(): number {
    return this.byName.size;
  }

  /** It is a copy, so that streams may end during an iteration. */
  all(): UpstreamStream[] {
    return [...this.byName.values()];
  }

  *allTracks(): Iterable<Track> {
    for (const stream of this.byName.values()) yield* stream.allTracks();
  }

  /** The names of the streams at all destinations, and of those that ended last. */
  knownNames(): string[] {
    return [...this.endedNames, ...this.all().flatMap(({ names, askedNames }) => [...names, ...askedNames])];
  }

  /**
   * Adds the track that `info` announces. If the track exists without an input, `input` takes it over. Returns
   * undefined if the upstream has failed because of this.
   *
   * @throws TrackRefused
   */
  attach(input: TrackInput, data: ConnectData, info: MediaInfo, initialFrameId: bigint): Track | undefined {
    const name = streamNameOf(data);
    const most = this.options.settings.outMaxStreams;
    if (most > 0 && this.size >= most && !this.byName.has(name)) {
      throw new SenderRejected('max_streams', `the upstream has ${this.size} streams (kmp_rtmp_out_max_streams)`);
    }
    const stream = this.byName.get(name) ?? this.createStream(name, data, info.codecId);
    if (stream === undefined) return undefined;
    const existing = stream.tracks[info.mediaType];
    if (existing !== undefined) {
      if (existing.input !== undefined) {
        throw new TrackTaken(
          `stream ${maskKey(name)} has a ${info.mediaType} track already, from connection ${existing.input.connection}`,
        );
      }
      existing.takeInput(input, initialFrameId);
      this.owner.absentInputs.attached(existing);
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

  /**
   * Updates the memory charged for the media infos of a track. Returns false if the upstream has failed because of
   * this.
   */
  chargeInfos(track: Track): boolean {
    if (track.chargeInfos()) return true;
    this.owner.fail('add_media_info_failed', NO_ROOM);
    return false;
  }

  /** Takes a media info for an existing track. A changed one is queued between the frames. */
  changeInfo(track: Track, info: MediaInfo): void {
    track.setInfo(info);
    if (lacksPrivateData(info) && !track.privateDataMissed) {
      track.privateDataMissed = true;
      const codec = codecName(info.codecId);
      this.owner.log.warn(
        `no codec private data for ${codec}: the stream has no sequence header, and most players cannot decode it`,
        { stream: maskKey(track.stream.name), track: track.mediaType },
      );
    }
    this.chargeInfos(track);
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

  /** Drops the pending frames of a track, without acknowledging them: the sender may send them again elsewhere. */
  clear(track: Track): void {
    for (const frame of track.removeUnless(() => false)) track.drop(frame);
    track.infos.clearWaiting();
    this.chargeInfos(track);
  }

  /** Ends the tracks of all streams. With `keepFrames`, queued frames are written first. */
  dropAll(reason: CloseReason, keepFrames: boolean): void {
    for (const stream of this.all()) {
      if (keepFrames && !stream.settled) this.settle(stream);
      this.dropTracks(stream, reason, keepFrames);
    }
  }

  dropTracks(stream: UpstreamStream, reason: CloseReason, keepFrames: boolean): void {
    this.dropping = true;
    for (const track of stream.allTracks()) {
      const { input } = track;
      if (!keepFrames) {
        this.clear(track);
        input?.close(reason);
      } else {
        // The sender gets acks for the frames that were sent, so it does not send them again to the next process.
        if (input !== undefined) this.owner.finishInput(input);
        stream.outlet?.inputLeft(track);
      }
      if (track.length === 0) this.endTrack(track);
    }
    this.dropping = false;
  }

  /** Ends a track whose sender breaks a rule. It does not wait for the sender. */
  rejectTrack(track: Track, error: SenderRejected): void {
    this.dropping = true;
    this.clear(track);
    track.input?.reject(error);
    if (track.length === 0) this.endTrack(track);
    this.dropping = false;
  }

  endTrack(track: Track): void {
    const stream = this.byName.get(track.stream.name);
    // Closing its input or writing its last frame may have ended the track already.
    if (stream === undefined || track.isGone) return;
    stream.removeTrack(track);
    stream.outlet?.removeTrack(track);
    track.memory.close();
    track.addTo(this.endedTracks);
    this.endedSlowFrames += track.slowFrames;
    this.owner.absentInputs.forget(track);
    this.slates?.remove(track);
    if (!stream.isEmpty) {
      this.owner.log.info('track ended', { stream: maskKey(stream.name), track: track.mediaType });
      return;
    }
    this.removeStream(stream);
  }

  /** A further session that publishes only `stream`. */
  addSession(stream: UpstreamStream): PublishSession {
    const session = this.owner.newSession(stream.names);
    this.owner.sessions.add(session);
    stream.outlet = session.streams;
    session.streams.addStream(stream);
    return session;
  }

  /** The upstream has failed: nothing is settled any more. */
  stop(): void {
    this.slates?.stop();
    for (const stream of this.byName.values()) stream.metaTimer?.cancel();
  }

  /**
   * Releases the memory of all frames. The upstream has failed and its connections are closed. Without this, the memory
   * would be in use until a garbage collection, while other upstreams take more.
   */
  releaseFrames(): void {
    for (const track of this.allTracks()) {
      for (const frame of track.removeUnless(() => false)) track.memory.release(frame);
      for (const frame of track.retained.takeAll()) track.memory.release(frame);
    }
  }

  /** Frames of its tracks, present and ended, that were dropped because the server was too slow. */
  get slowFrames(): number {
    let frames = this.endedSlowFrames;
    for (const { tracks } of this.byName.values())
      frames += (tracks.video?.slowFrames ?? 0) + (tracks.audio?.slowFrames ?? 0);
    return frames;
  }

  /** Adds the counts of its tracks, present and ended. */
  addTo(sums: Sums): void {
    addSums(sums, this.endedTracks);
    for (const track of this.allTracks()) track.addTo(sums);
  }

  private createStream(name: string, data: ConnectData, codec: number): UpstreamStream | undefined {
    const { target } = this.owner;
    const stream = new UpstreamStream(name, this.options.clock.now(), target.askedNames(data));
    stream.names = target.namesOf(stream);
    stream.onLive = () => this.owner.publications.started(name);
    this.byName.set(name, stream);
    return this.publish(stream, codec) ? stream : undefined;
  }

  /** The stream leaves its session, with its tracks and queued frames. */
  leaveSession(stream: UpstreamStream): void {
    stream.outlet?.leaves(stream);
    for (const track of stream.allTracks()) track.ready = false;
    stream.live = false;
  }

  /** The destinations have changed: the streams have other names there. */
  renameAll(): void {
    for (const stream of this.byName.values()) stream.names = this.owner.target.namesOf(stream);
  }

  /** Tracks without a sender that do not wait for one have to end in their new session. */
  endAbsent(): void {
    for (const track of [...this.allTracks()])
      if (!this.owner.absentInputs.waits(track)) track.stream.outlet?.inputLeft(track);
  }

  /** The stream gets a session again, with its tracks. The caller opens the main session. */
  publishAgain(stream: UpstreamStream): void {
    const { main } = this.owner.sessions;
    const tracks = stream.allTracks();
    const alone = this.options.settings.outConnection === 'stream' && !main.streams.isEmpty;
    const session = alone ? this.addSession(stream) : main;
    stream.outlet = session.streams;
    if (!alone) session.streams.addStream(stream);
    for (const track of tracks) session.streams.addTrack(track);
    if (stream.settled) session.streams.announce(stream);
    if (alone) session.open(tracks.map((track) => track.latestInfo.codecId));
  }

  /** A new stream gets a session. Returns false if the upstream has failed because of this. */
  private publish(stream: UpstreamStream, codec: number): boolean {
    const { main } = this.owner.sessions;
    if (this.owner.hold.isActive) {
      stream.outlet = this.owner.hold;
      return true;
    }
    const { outConnection } = this.options.settings;
    // A stream that was refused a moment ago waits for its turn, and the others go on.
    const alone = main.oneStream || outConnection === 'stream' || main.destinations.isClosedOff(stream);
    if (!alone || main.streams.isEmpty) {
      stream.outlet = main.streams;
      return main.streams.addStream(stream);
    }
    this.addSession(stream).open([codec]);
    return !this.owner.ended;
  }

  private createTrack(
    stream: UpstreamStream,
    input: TrackInput,
    info: MediaInfo,
    initialFrameId: bigint,
  ): Track | undefined {
    const { log, ledger } = this.owner;
    const memory = new TrackMemory(ledger);
    if (!memory.setInfos(0)) {
      this.owner.fail('create_track_failed', 'the memory limit leaves no room for a track');
      return undefined;
    }
    const track = new Track(stream, memory, info, stream.endedTracks.successor(info, initialFrameId));
    if (!this.chargeInfos(track)) return undefined;
    track.input = input;
    stream.timeline.trackAdded(track, this.options.clock.now());
    this.slates?.add(track);
    stream.addTrack(track);
    stream.outlet?.addTrack(track);
    log.info('track added', { stream: maskKey(stream.name), track: info.mediaType, connection: input.connection });
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
    if (this.owner.ended) return;
    stream.settled = true;
    for (const { mediaType } of stream.allTracks()) stream.announced.add(mediaType);
    stream.outlet?.announce(stream);
  }

  private removeStream(stream: UpstreamStream): void {
    stream.metaTimer?.cancel();
    this.byName.delete(stream.name);
    this.endedNames = [...new Set([...this.endedNames, ...stream.names, ...stream.askedNames])].slice(-MAX_ENDED_NAMES);
    stream.outlet?.removeStream(stream);
    this.owner.log.info('stream ended', { stream: maskKey(stream.name) });
    this.owner.streamEnded(stream.name);
    if (this.owner.ended) return;
    if (this.size === 0) this.owner.lastStreamEnded();
    else this.owner.sessions.finishEmpty();
  }
}
