import type { ConnectData } from '../kmp/connect-data.js';
import type { Logger } from '../base/logger.js';
import { maskKey, maskUrl } from '../base/mask.js';
import type { MediaInfo } from '../media/media-info.js';
import { Breakages } from './report/breakages.js';
import type { CloseReason, NotificationReason } from './report/close-reason.js';
import { describeUpstream } from './describe-upstream.js';
import type { Destination } from './connection/destination.js';
import { Ledger } from './tracks/ledger.js';
import type { PublishSession } from './connection/session.js';
import { SessionSet } from './connection/session-set.js';
import type { PastFailure } from './destination/destination-backoff.js';
import { Overload } from './tracks/overload.js';
import { turnScheduleOf, type TurnSchedule } from '../time/turn-schedule.js';
import { Publications } from './report/publications.js';
import type { InputLostReason, UpstreamEvent } from './report/upstream-event.js';
import { INPUT_FROZEN } from './input-stall.js';
import { Hold } from './hold.js';
import { Health } from './health.js';
import type { Elsewhere } from './report/orders.js';
import type { LastStatus, UpstreamState, UpstreamStatus } from './report/status.js';
import type { UpstreamStream } from './tracks/stream.js';
import { BYTES } from './report/byte-counts.js';
import type { Counting, Sums } from './report/totals.js';
import { lagLimitsOf } from './tracks/lag-limits.js';
import type { SenderRejected } from './tracks/track-refused.js';
import type { Track, TrackStream } from './tracks/track.js';
import type { TrackInput } from './tracks/track-input.js';
import { streamNameOf } from './tracks/stream-name.js';
import { FrameAdmission, type AdmissionOwner } from './frame-admission.js';
import { AbsentInputs, type AbsentInputsOwner } from './absent-inputs.js';
import { SenderWatch, type WatchedUpstream } from './sender-watch.js';
import { moveStreams, type MoveOwner } from './move.js';
import { Target } from './orders/target.js';
import type { Owner } from './owner.js';
import { newSession, type SessionHost } from './new-session.js';
import { StreamSet, type StreamSetOwner } from './stream-set.js';
import type { UpstreamOptions } from './upstream-options.js';
import { UpstreamSecrets } from './upstream-secrets.js';

/**
 * - `open`: tracks join and leave;
 * - `dropping`: the upstream was asked to end; queued frames are written or dropped, and no track joins;
 * - `closing`: all streams have ended, and encoded bytes are sent;
 * - `ended`
 */
type Phase = 'open' | 'dropping' | 'closing' | 'ended';

/**
 * All tracks of one `upstream_id` (docs/protocol/behaviour.md, Lifetimes). {@link StreamSet} has its streams and
 * tracks. A {@link PublishSession} does the RTMP side. There are several if the server supports only one stream per
 * connection.
 */
export class Upstream
  implements SessionHost, StreamSetOwner, WatchedUpstream, AbsentInputsOwner, AdmissionOwner, MoveOwner, Counting
{
  readonly id: string;
  readonly connection: number;
  readonly data: ConnectData;
  readonly owner: Owner | undefined;
  readonly ledger: Ledger;
  readonly schedule: TurnSchedule;
  readonly log: Logger;
  readonly sessions: SessionSet;
  /** Whether viewers get what they should. */
  readonly health: Health;
  readonly absentInputs: AbsentInputs;
  /** Monotonic ms. */
  readonly createdAt: number;
  /** The last status that the server sent. */
  serverStatus: LastStatus | null = null;
  readonly breakages: Breakages;
  readonly publications: Publications;
  readonly options: UpstreamOptions;
  /** Where it publishes. */
  readonly target: Target;
  private readonly streamSet: StreamSet;
  readonly hold: Hold;
  private readonly senderWatch: SenderWatch;
  readonly admission: FrameAdmission;
  private phase: Phase = 'open';
  /** Inputs that only wait for the acks of the frames they have sent. */
  private finishing: TrackInput[] = [];
  private finalReason: CloseReason = 'done';
  private finalMessage = 'all streams have ended and every byte is sent';
  /** A sender sent nothing for `kmp_rtmp_in_read_timeout`, and none has come since. */
  private frozen = false;
  private readonly secrets = new UpstreamSecrets(this, () => this.streamSet.knownNames());
  readonly allTracks = (): Iterable<Track> => this.streamSet.allTracks();
  readonly rejectTrack = (track: Track, error: SenderRejected): void => this.streamSet.rejectTrack(track, error);

  /** @throws RtmpUrlError if the URL of the connect data is invalid */
  constructor(options: UpstreamOptions) {
    const { id, connection, data, settings, clock, log } = options;
    this.options = options;
    this.id = id;
    this.connection = connection;
    this.data = data;
    this.owner = options.owner;
    this.log = log;
    this.target = new Target(data, settings, log, options.elsewhere);
    this.ledger = new Ledger(settings.outMemLimit, options.memory);
    const limits = lagLimitsOf(settings);
    const overload = new Overload(this.ledger, log, limits, () => clock.now());
    this.admission = new FrameAdmission(this, overload, clock, settings);
    this.schedule = turnScheduleOf(settings, clock);
    this.createdAt = clock.now();
    const report = (event: UpstreamEvent): void => this.report(event);
    this.publications = new Publications(report, () => clock.now());
    this.breakages = new Breakages(clock, this.publications, report);
    this.sessions = new SessionSet(this.mainSession());
    this.absentInputs = new AbsentInputs(this, clock, settings.outLinger);
    this.streamSet = new StreamSet(this, options);
    this.hold = new Hold(this, this.streamSet);
    this.senderWatch = new SenderWatch(this, clock, settings.outLinger);
    this.health = new Health(this, limits);
  }

  get destinations(): readonly Destination[] {
    return this.target.destinations;
  }

  get streams(): ReadonlyMap<string, UpstreamStream> {
    return this.streamSet.byName;
  }

  /** Begins to connect. `codec`: the codec of the first track. */
  start(codec: number): void {
    const copied = Buffer.byteLength(JSON.stringify(this.data));
    if (!this.ledger.charge(copied)) {
      this.fail('alloc_failed', `the connect data (${copied} bytes) is larger than the memory limit`);
      return;
    }
    if (!this.hold.isActive) this.sessions.main.open([codec]);
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
    if (!this.isOpen) return 'closing';
    if (this.hold.isActive) return 'disabled';
    const { state } = this.sessions;
    return state === 'publishing' && this.streamSet.isInputLost ? 'input_lost' : state;
  }

  get slowFrames(): number {
    return this.streamSet.slowFrames;
  }

  /** True if it has had no sender for so long that none is likely to return. */
  get isDeserted(): boolean {
    return this.senderWatch.isDeserted;
  }

  get hasInput(): boolean {
    for (const { input } of this.allTracks()) if (input !== undefined) return true;
    return false;
  }

  /** True if its destination was tried, by itself or by others, and never took anything. */
  get wasInVain(): boolean {
    const failed = this.sessions.reconnects > 0 || this.sessions.nextAttempt !== undefined;
    return failed && [...this.sessions].every((session) => !session.destinations.everPublished);
  }

  /**
   * Adds the track that `info` announces. If the track exists without an input, `input` takes it over. Returns
   * undefined if the upstream has failed because of this, or is being dropped.
   *
   * @throws TrackRefused
   */
  attach(input: TrackInput, data: ConnectData, info: MediaInfo, initialFrameId: bigint): Track | undefined {
    this.frozen = false;
    if (this.phase !== 'open') return undefined;
    const track = this.streamSet.attach(input, data, info, initialFrameId);
    if (track !== undefined) track.receivedAt = this.options.clock.now();
    return track;
  }

  /** Takes a media info for an existing track. A changed one is queued between the frames. */
  changeInfo(track: Track, info: MediaInfo): void {
    this.streamSet.changeInfo(track, info);
  }

  /**
   * The input of a track has left. The track waits for another one (`kmp_rtmp_out_linger`). Then its queued frames are
   * written, and it ends.
   */
  detach(track: Track, reason: InputLostReason): void {
    track.input = undefined;
    this.frozen ||= reason === 'input_timeout';
    this.senderWatch.inputLeft();
    if (this.ended) return;
    const returns = this.phase === 'open' && !this.streamSet.isDropping;
    if (!returns || !this.absentInputs.left(track, reason)) track.stream.outlet?.inputLeft(track);
    this.senderWatch.update();
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
    this.streamSet.clear(track);
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
    this.streamSet.dropAll(reason, keepFrames);
    const { state } = this;
    if (state === 'waiting' || state === 'reconnecting') this.fail(reason, 'as requested, without a connection');
  }

  /** Drops one KMP connection. Returns false if it does not belong to this upstream. */
  dropInput(connection: number): boolean {
    return this.streamSet.dropInput(connection);
  }

  /**
   * Ends the upstream at once, with all its inputs. If it was being dropped already, the original close reason stays.
   */
  fail(reason: CloseReason, message: string): void {
    if (this.ended) return;
    this.end(this.isDropping ? this.finalReason : reason, message);
    this.streamSet.stop();
    for (const track of [...this.allTracks()]) track.input?.close(reason);
    for (const session of this.sessions) session.destroy();
    // Not at once: the call may come from a stage that still uses some of the frames.
    setImmediate(() => this.streamSet.releaseFrames());
  }

  sessionClosed(session: PublishSession): void {
    this.sessions.remove(session);
    if (this.phase !== 'closing' || !this.sessions.isEmpty) return;
    if (this.frozen && !this.isDropping) this.end('input_timeout', INPUT_FROZEN);
    else this.end(this.finalReason, this.finalMessage);
  }

  streamRejected({ name }: TrackStream, message: string): void {
    const stream = this.streams.get(name);
    if (stream === undefined || this.streams.size === 1) {
      this.fail('publish_rejected', message);
      return;
    }
    this.log.error(`the server refuses a stream: ${message}`, { stream: maskKey(name) });
    this.publications.ended(name, 'publish_rejected', this.mask(message));
    this.streamSet.dropTracks(stream, 'publish_rejected', false);
  }

  streamNeedsSession({ name }: TrackStream, refusal?: string): void {
    const stream = this.streams.get(name);
    if (stream === undefined) return;
    if (refusal !== undefined) this.publications.lost(name, 'publish_rejected', this.mask(refusal));
    this.log.info('the stream gets a separate RTMP connection', { stream: maskKey(name) });
    const tracks = stream.allTracks();
    const session = this.streamSet.addSession(stream);
    for (const track of tracks) session.streams.addTrack(track);
    session.open(tracks.map((track) => track.info.codecId));
  }

  mainSession(): PublishSession {
    return newSession(this, this.options, this.target.mainNames, 0);
  }

  /**
   * Publishes elsewhere, or again where the senders ask for (undefined), from a key frame on. The senders stay
   * connected.
   *
   * @throws RtmpUrlError if a URL is invalid
   */
  sendTo(elsewhere: Elsewhere | undefined): void {
    if (this.phase !== 'open' || !this.target.change(elsewhere)) return;
    const what = elsewhere === undefined ? 'an operator has sent it back' : 'an operator has sent it elsewhere';
    this.log.info(what, { url: maskUrl(this.target.url) });
    this.breakages.forget();
    this.serverStatus = null;
    moveStreams(this, this.streamSet);
  }

  trackEnded(track: Track): void {
    if (!this.ended) this.streamSet.endTrack(track);
  }

  finishInput(input: TrackInput): void {
    input.finish();
    this.finishing.push(input);
  }

  streamEnded(name: string): void {
    const frozen = this.frozen && !this.isDropping;
    if (frozen) this.publications.ended(name, 'input_timeout', INPUT_FROZEN);
    else this.publications.ended(name, this.finalReason, this.finalMessage);
  }

  lastStreamEnded(): void {
    this.phase = 'closing';
    for (const session of this.sessions) session.finish();
  }

  deserted(): void {
    for (const session of this.sessions) session.deserted();
  }

  mask(text: string): string {
    return this.secrets.mask(text);
  }

  lastStatus(status: LastStatus): void {
    this.serverStatus = status;
  }

  /** The next attempt to connect is made now, if one is waited for. */
  retry(): void {
    for (const session of this.sessions) session.destinations.tryNow();
  }

  waiting({ reason, message, at }: PastFailure): void {
    const { clock } = this.options;
    this.breakages.before(reason, message, at);
    const wait = Math.round((this.sessions.nextAttempt?.at ?? at) - clock.now());
    this.log.warn(`the destination has failed lately; next attempt in ${Math.max(0, wait)} ms: ${message}`);
  }

  /** Reports an event: it is logged, counted, and notified if `kmp_rtmp_out_notif_events` names its type. */
  report(event: UpstreamEvent): void {
    this.options.onEvent?.(event);
  }

  reconnecting(reason: NotificationReason, message?: string, lost: readonly TrackStream[] = []): void {
    // What counts as deserted depends on whether there were attempts.
    this.senderWatch.update();
    if (message === undefined || reason === 'reconnect_request') this.breakages.asked();
    else {
      const names = lost.map(({ name }) => name);
      this.breakages.broken(reason, this.mask(message), names);
    }
  }

  status(): UpstreamStatus {
    return describeUpstream(this, this.sessions, this.options.clock.now());
  }

  addTo(sums: Sums): void {
    this.streamSet.addTo(sums);
    const { bytes, reconnects } = this.sessions;
    for (const field of BYTES) sums[field] += bytes[field];
    sums.reconnects += reconnects;
  }

  newSession(names: readonly string[]): PublishSession {
    return newSession(this, this.options, names, this.sessions.main.destination.index);
  }

  private end(reason: CloseReason, text: string): void {
    if (this.ended) return;
    const message = this.mask(text);
    const begun = this.phase === 'closing' || this.streams.size > 0;
    this.phase = 'ended';
    this.senderWatch.stop();
    for (const name of begun ? this.streams.keys() : [streamNameOf(this.data)])
      this.publications.ended(name, reason, message);
    this.absentInputs.stop();
    for (const input of this.finishing) input.close(reason);
    this.ledger.leaveTotal();
    this.options.onEnd(reason, message);
  }
}
