import type { ConnectData } from '../kmp/connect-data.js';
import type { Logger } from '../base/logger.js';
import { maskIn, maskKey } from '../base/mask.js';
import type { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import type { CloseReason, NotificationReason } from './report/close-reason.js';
import { describeUpstream } from './describe-upstream.js';
import { destinationOf, type Destination } from './connection/destination.js';
import { rtmpDumpName } from '../dump/dump-name.js';
import { openDump } from '../dump/dump.js';
import { Ledger, TRACK_COST } from './tracks/ledger.js';
import { Link } from './connection/session.js';
import type { LinkOwner } from './connection/session-owner.js';
import { Links, TRAFFIC } from './connection/session-set.js';
import { Overload } from './tracks/overload.js';
import { turnScheduleOf, type TurnSchedule } from '../time/turn-schedule.js';
import type { LastStatus, UpstreamState, UpstreamStatus } from './report/status.js';
import { UpstreamStream } from './tracks/stream.js';
import { addSums, emptySums, type Counting, type Sums } from './report/totals.js';
import { Track } from './tracks/track.js';
import type { TrackInput } from './tracks/track-input.js';
import { requireStreamName, TrackRefused, TrackTaken } from './tracks/track-refused.js';
import type { UpstreamOptions } from './upstream-options.js';

/** ms without a sender after which a connection that breaks is not made anew: one that comes back sends again what is not acked. */
const DESERTED_AFTER = 60_000;

/**
 * What all tracks of one `upstream_id` share: the order of the lives of its streams and tracks, and nothing else
 * (spec/behaviour.md, Lives). The RTMP connection, or several where a server wants that, are {@link Link}s.
 */
export class Upstream implements LinkOwner, Counting {
  readonly id: string;
  readonly connection: number;
  readonly data: ConnectData;
  readonly ledger: Ledger;
  readonly schedule: TurnSchedule;
  readonly log: Logger;
  readonly streams = new Map<string, UpstreamStream>();
  ended = false;
  /** What the server said last. */
  serverStatus: LastStatus | null = null;
  /** Why the RTMP connection last broke, and when, in ms of the clock. */
  broke: { readonly reason: string; readonly message: string; readonly at: number } | undefined;
  private readonly options: UpstreamOptions;
  private readonly destination: Destination;
  private readonly links: Links;
  private readonly overload: Overload | undefined;
  private readonly createdAt: number;
  /** What the tracks counted that have ended. */
  private readonly endedTracks = emptySums();
  private closing = false;
  /** When an input was last seen to leave, ms of the clock. */
  private leftAt = Infinity;
  /** Inputs that only wait for the acks of what they have sent. */
  private readonly finishing: TrackInput[] = [];
  private finalReason: CloseReason = 'done';
  private finalMessage = 'all streams have ended and every byte is sent';

  /**
   * @throws RtmpUrlError, TrackRefused if the connect data's url is none, or names no stream
   */
  constructor(options: UpstreamOptions) {
    const { id, connection, data, settings, clock, log } = options;
    this.options = options;
    this.id = id;
    this.connection = connection;
    this.data = data;
    this.log = log;
    // Without a stream it would live on with nothing to end it.
    requireStreamName(data);
    this.destination = destinationOf(data, settings);
    this.ledger = new Ledger(settings.outMemLimit);
    this.overload = settings.outOverload === 'drop_frames' ? new Overload(this.ledger, log) : undefined;
    this.schedule = turnScheduleOf(settings, clock);
    this.createdAt = clock.now();
    this.links = new Links(this.newLink());
  }

  /** Begins to connect. `codec`: that of the first track. */
  start(codec: number): void {
    const copied = Buffer.byteLength(JSON.stringify(this.data));
    if (!this.ledger.charge(copied)) {
      this.fail('alloc_failed', `the connect data (${copied} bytes) is larger than the memory limit`);
      return;
    }
    this.links.main.open([codec]);
  }

  /** True while tracks can join. */
  get isOpen(): boolean {
    return !this.ended && !this.closing;
  }

  get state(): UpstreamState {
    return this.closing ? 'closing' : this.links.state;
  }

  get reconnects(): number {
    return this.links.traffic().reconnects;
  }

  /** True if it has had no sender for a minute. */
  get isDeserted(): boolean {
    for (const { input } of this.allTracks()) if (input !== undefined) return false;
    return this.options.clock.now() - this.leftAt >= DESERTED_AFTER;
  }

  /**
   * Adds the track that `info` announces, or lets `input` take over the track that is there without one. undefined: the
   * upstream has failed over it, or is being dropped.
   *
   * @throws TrackRefused
   */
  attach(input: TrackInput, data: ConnectData, info: MediaInfo, initialFrameId: bigint): Track | undefined {
    const name = requireStreamName(data);
    if (!this.isOpen || this.finalReason !== 'done') return undefined;
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

  /** A media info that came on a track that is there: queued in its place if it is another one. */
  changeInfo(track: Track, info: MediaInfo): void {
    track.setInfo(info);
    this.chargeInfo(track);
  }

  /** Brings what is charged for a track's media infos up to date; false: the upstream has failed over it. */
  chargeInfo(track: Track): boolean {
    const charge = TRACK_COST + track.infoCharge;
    const more = charge - track.fixedCharge;
    if (more > 0 && !this.ledger.charge(more)) {
      this.fail('add_media_info_failed', 'the memory limit leaves no room for the codec private data');
      return false;
    }
    if (more < 0) this.ledger.release(-more);
    track.fixedCharge = charge;
    return true;
  }

  /** Whether a received frame is let in, or left out because memory runs out; see `kmp_rtmp_out_overload`. */
  admits(track: Track, frame: Frame): boolean {
    return this.overload === undefined || this.overload.admits(track, frame, this.allTracks());
  }

  /** Frames that have been charged and numbered go to the merger. */
  accept(track: Track, frames: readonly Frame[]): void {
    if (!this.ended) track.stream.link?.write(track, frames);
  }

  /** The input of a track has ended: what is queued drains, then the track ends. */
  detach(track: Track): void {
    track.input = undefined;
    track.ended = true;
    this.leftAt = this.options.clock.now();
    if (this.ended) return;
    if (track.length === 0) this.drained(track);
    else track.stream.link?.changed();
  }

  /** Drops a track's pending frames (a new sequence begins); they count as done. */
  clear(track: Track): void {
    for (const frame of track.filter(() => false)) track.discard(frame, this.ledger);
    track.changes.length = 0;
    this.chargeInfo(track);
  }

  drained(track: Track): void {
    if (this.ended || track.isGone) return;
    if (this.finalReason === 'done' && track.stream.link?.endings.waitsFor(track) === true) return;
    this.endTrack(track);
  }

  /** Ends the upstream in order: inputs are closed, streams unpublished, what is encoded is sent. */
  drop(reason: CloseReason, keepFrames: boolean): void {
    if (!this.isOpen) return;
    this.finalReason = reason;
    this.finalMessage = 'it was asked for';
    if (!keepFrames && this.links.main.state !== 'publishing') {
      this.fail(reason, 'it was asked for, with no connection');
      return;
    }
    if (keepFrames) for (const link of this.links) link.hurry();
    for (const stream of [...this.streams.values()]) {
      if (keepFrames && !stream.settled) this.settle(stream);
      this.dropTracks(stream, reason, keepFrames);
    }
    if (this.state === 'reconnecting') this.fail(reason, 'it was asked for, with no connection');
  }

  /** Drops one KMP connection; false if it is not one of this upstream's. */
  dropInput(connection: number): boolean {
    for (const { input } of this.allTracks()) {
      if (input?.connection !== connection) continue;
      input.close('api_delete');
      return true;
    }
    return false;
  }

  /** Ends the upstream at once, with all its inputs. What goes wrong while it is being dropped is not why it ends. */
  fail(reason: CloseReason, message: string): void {
    if (this.ended) return;
    this.end(this.finalReason === 'done' ? reason : this.finalReason, message);
    for (const stream of this.streams.values()) stream.metaTimer?.cancel();
    for (const track of [...this.allTracks()]) track.input?.close(reason);
    for (const link of this.links) link.destroy();
  }

  linkFinished(link: Link): void {
    this.links.remove(link);
    if (this.closing && this.links.isEmpty) this.end(this.finalReason, this.finalMessage);
  }

  streamRejected(stream: UpstreamStream, message: string): void {
    if (this.streams.size === 1) {
      this.fail('publish_rejected', message);
      return;
    }
    this.log.error(`the server refuses a stream: ${message}`, { stream: maskKey(stream.name) });
    this.dropTracks(stream, 'publish_rejected', false);
  }

  split(stream: UpstreamStream): void {
    this.log.info('the server uses one stream id a connection: another connection is made', {
      stream: maskKey(stream.name),
    });
    const tracks = stream.allTracks();
    // Ahead of addStream, which makes another line the stream's: both mergers would take its frames.
    for (const track of tracks) stream.link?.removeTrack(track);
    const link = this.newLink();
    this.links.add(link);
    link.addStream(stream);
    for (const track of tracks) link.addTrack(track);
    link.open(tracks.map((track) => track.info.codecId));
  }

  mask(text: string): string {
    const { user = '', password = '' } = this.destination.url;
    const names = [...this.streams.keys()].flatMap((name) => [name, name.replace(/[?#].*$/s, '')]);
    return maskIn(text, [...names, user, password]).replaceAll(/\buser=[^&\s\]]*/g, 'user=***');
  }

  lastStatus(status: LastStatus): void {
    this.serverStatus = status;
  }

  reconnecting(reason: NotificationReason, message?: string): void {
    if (message !== undefined) this.broke = { reason, message: this.mask(message), at: this.options.clock.now() };
    this.options.onReconnect?.(this, reason);
  }

  status(): UpstreamStatus {
    return describeUpstream(this, this.links, this.createdAt, this.options.clock.now());
  }

  addTo(sums: Sums): void {
    addSums(sums, this.endedTracks);
    for (const track of this.allTracks()) track.addTo(sums);
    const traffic = this.links.traffic();
    for (const what of TRAFFIC) sums[what] += traffic[what];
  }

  private *allTracks(): Iterable<Track> {
    for (const stream of this.streams.values()) yield* stream.allTracks();
  }

  private newLink(): Link {
    const { settings, clock, resolve, permit } = this.options;
    const { ledger, id, connection, log, schedule } = this;
    const folder = settings.outDumpFolder;
    const dump = folder === '' ? undefined : () => openDump(folder, rtmpDumpName(clock.wall(), id, connection), log);
    const options = { settings, clock, schedule, resolve, permit, dump, ledger };
    return new Link(options, this.destination, this);
  }

  private createStream(name: string, codec: number): UpstreamStream | undefined {
    const stream = new UpstreamStream(name, this.options.clock.now());
    this.streams.set(name, stream);
    const { main } = this.links;
    if (!main.oneStream || main.streams.size === 0) return main.addStream(stream) ? stream : undefined;
    const link = this.newLink();
    this.links.add(link);
    link.addStream(stream);
    link.open([codec]);
    return this.ended ? undefined : stream;
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
    const track = new Track(stream, info, stream.endedTracks.successor(info, initialFrameId));
    track.fixedCharge = TRACK_COST;
    if (!this.chargeInfo(track)) return undefined;
    track.input = input;
    stream.addTrack(track);
    stream.link?.addTrack(track);
    this.log.info('track added', { stream: maskKey(stream.name), track: info.mediaType, connection: input.connection });
    if (stream.settled || stream.isComplete) {
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
    stream.settled = true;
    for (const { mediaType } of stream.allTracks()) stream.announced.add(mediaType);
    stream.link?.activate(stream);
  }

  private dropTracks(stream: UpstreamStream, reason: CloseReason, keepFrames: boolean): void {
    for (const track of stream.allTracks()) {
      const { input } = track;
      if (!keepFrames) {
        this.clear(track);
        input?.close(reason);
      } else if (input !== undefined) {
        // Its sender is told what has gone out, so that it need not send that again to whoever comes next.
        input.finish();
        this.finishing.push(input);
        track.ended = true;
        track.stream.link?.changed();
      }
      if (track.length === 0) this.endTrack(track);
    }
  }

  private endTrack(track: Track): void {
    const { stream } = track;
    // Closing its input, or writing its last frame, may have ended it already.
    if (track.isGone) return;
    stream.removeTrack(track);
    stream.link?.removeTrack(track);
    this.ledger.release(track.fixedCharge);
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
    const { link } = stream;
    link?.removeStream(stream);
    this.log.info('stream ended', { stream: maskKey(stream.name) });
    if (this.ended) return;
    if (this.streams.size === 0) {
      this.closing = true;
      for (const one of this.links) one.finish();
    } else if (link !== undefined && link.streams.size === 0) {
      this.links.close(link);
    }
  }

  private end(reason: CloseReason, message: string): void {
    if (this.ended) return;
    this.ended = true;
    this.closing = true;
    for (const input of this.finishing) input.close(reason);
    this.options.onEnd(this, reason, message);
  }
}
