import { codecName, type MediaType } from '../../media/codec.js';
import type { Block } from '../../media/block.js';
import type { MediaInfo } from '../../media/media-info.js';
import { TrackQueue, type QueueGroup } from '../../merge/track-queue.js';
import { describeMedia } from './describe-media.js';
import type { TagHead } from '../../rtmp/media-tags.js';
import type { StreamState } from '../../rtmp/session-writer.js';
import { NEVER_WRITTEN, SLATE_FRAME, type Frame } from '../../media/frame.js';
import type { BatchShare } from './batch-share.js';
import type { FrameIds } from './frame-ids.js';
import { Retention, type Kept } from './retention.js';
import type { TrackMemory } from './track-memory.js';
import type { TrackStatus } from '../report/status.js';
import type { TrackInput } from './track-input.js';
import type { TrackSlate } from './track-slate.js';
import type { Counting, Sums } from '../report/totals.js';
import { InfoHistory } from './info-history.js';
import type { Gap, StreamTimeline, TimedTrack } from './stream-timeline.js';

/** Takes frames in numbers: a merger. */
export interface NumbersReceiver {
  /** Queues the frames that were added to the ring of `track`. Their payloads are in `block`. */
  acceptPending(track: Track, block: Block): void;
}

/** Publishes a stream. An upstream uses only this interface of an RTMP session for its streams and tracks. */
export interface StreamOutlet {
  /** Queues frames that are charged and numbered. */
  write(track: Track, frames: readonly Frame[]): void;
  /** What takes the frames of the track in numbers; undefined: {@link write} has to be called. */
  receiverOf?(track: Track): NumbersReceiver | undefined;
  addTrack(track: Track): void;
  removeTrack(track: Track): void;
  /** The stream's tracks are known, or one has joined. Metadata and sequence headers are written. */
  announce(stream: TrackStream): void;
  /** The input of the track has left. Queued frames are written, then the track ends. */
  inputLeft(track: Track): void;
  /** All tracks of the stream have ended, and it is unpublished. */
  removeStream(stream: TrackStream): void;
  /**
   * The stream leaves, with its tracks, for another outlet. Frames that are encoded here are still sent, and then
   * forgotten.
   */
  leaves(stream: TrackStream): void;
  /** ms: the age of the first written byte of the stream's connection that the server has not taken; 0: none. */
  lagOf(stream: TrackStream): number;
  /** True if frames are discarded here, so that they are acknowledged although no server publishes the stream. */
  readonly discards?: boolean;
  /** True if no stream is left. */
  readonly isEmpty: boolean;
  /** True from when it has to wait for its turn to connect until it has published. */
  readonly isWaiting: boolean;
}

/** The RTMP message stream of a track, as the track sees it. */
export interface TrackStream extends QueueGroup {
  readonly name: string;
  /** Its name at a destination: that of `url` of the connect data (0), or a backup. */
  nameAt(destination: number): string;
  readonly tracks: Readonly<Partial<Record<MediaType, Track>>>;
  readonly timeline: StreamTimeline;
  /** The RTMP session that publishes the stream; undefined until it is added to one. */
  readonly outlet: StreamOutlet | undefined;
  /** The state of the stream on its present RTMP connection. */
  state: StreamState;
  /** ms added to all its times, on every connection: they begin at 0 if the first one is below 0. */
  shiftMs: number;
  /** True once its tracks are known, or the time to wait for them is over. From then on, it has metadata. */
  readonly settled: boolean;
  /**
   * True if the server publishes the stream on its present connection, or counts as one that never answers. Before
   * that, no frame is acknowledged to senders.
   */
  live: boolean;
  /**
   * The next frame is the first one after a break: with video, no frame is written before its key frame. `always`: also
   * if no frame was written before the break.
   */
  beginAtKey(always?: boolean): void;
  /** True if every frame of its tracks may be written now. */
  readonly mayWriteAll: boolean;
  /** Whether a frame may be written now. Otherwise it is dropped. @param now monotonic ms */
  mayWrite(track: Track, frame: Frame, now: number): boolean;
}

/**
 * Why frames are dropped on purpose. `slow`: the server takes too little, or a sender brings too much; `outage`: no
 * server takes anything.
 */
export type DropCause = 'slow' | 'outage';

/** One video or audio rendition of a stream: its queue of frames, and the state that is needed to write them. */
export class Track extends TrackQueue implements Counting, TimedTrack {
  readonly mediaType: MediaType;
  readonly ids: FrameIds;
  /** The present KMP connection; undefined while there is no sender. */
  input: TrackInput | undefined;
  /** Its media infos. */
  readonly infos: InfoHistory;
  /** The track's part of the batch that is being encoded. */
  share: BatchShare<Track> | undefined;
  sentFrames = 0;
  sentDataBytes = 0;
  /** How often a frame was written again on another connection after the kernel had taken it. */
  resentFrames = 0;
  droppedFrames = 0;
  /** Those of the dropped frames that its server was too slow for. */
  slowFrames = 0;
  /** Frames of the slate that were written. */
  slateFrames = 0;
  /** Time of the last frame that was written, ms. */
  writtenMs = -Infinity;
  /** True from the event `input_lost` to `input_back`: each loss is reported once. */
  isReportedLost = false;
  /** Monotonic ms at which frames were last received, or its sender has come. */
  receivedAt: number | undefined;
  /** ms from one received key frame to the next; undefined before the second. */
  private keyInterval: number | undefined;
  private lastKeyMs: number | undefined;
  /** ms between arrival and merging of the last written frame. */
  delay = 0;
  /** True while video is dropped until the next key frame, on a connection that was opened again. */
  waitKey = false;
  /** Why received video is dropped until the next key frame; undefined: it is not dropped. */
  dropping: DropCause | undefined;
  /** True once a warning has said that the track has no codec private data. */
  privateDataMissed = false;
  /** Written frames that may have to be written again. */
  readonly retained = new Retention();
  offset = 0;
  gap: Gap | undefined;
  sourceLag = NaN;
  /** Called when a key frame of video has been received. */
  onKey: (() => void) | undefined;
  /** Set if a slate may fill its gaps. */
  slate: TrackSlate | undefined;
  /** True if its last input left while it waited for a key frame. The next input must wait for one, too. */
  keyMissing: boolean;
  /** True once its sender has announced the end. */
  complete = false;
  /** Sequence number of the first written frame. */
  private firstWritten: number | undefined;
  /** The input of a sender that has announced the end, until its last frame is acknowledged or another one comes. */
  private endedInput: TrackInput | undefined;
  /** True once queued frames were dropped on purpose. */
  private leftOut = false;
  /** The sequence number of the last ack: all frames before it are done. */
  private ackedNext = 0;

  constructor(
    readonly stream: TrackStream,
    readonly memory: TrackMemory,
    info: MediaInfo,
    before: { readonly ids: FrameIds; readonly keyMissing: boolean },
  ) {
    super(stream);
    this.mediaType = info.mediaType;
    this.infos = new InfoHistory(info);
    this.ids = before.ids;
    this.keyMissing = before.keyMissing;
  }

  /** True once it has ended and left its stream. Its frames may still be in a batch that is being sent. */
  get isGone(): boolean {
    return this.stream.tracks[this.mediaType] !== this;
  }

  /** True if its queue has only frames that are written again. */
  get hasWrittenAll(): boolean {
    return this.at(this.length - 1)?.sentAt !== NEVER_WRITTEN;
  }

  /** True if nothing has to look at each of its frames when it is received. */
  get isPlain(): boolean {
    return this.gap === undefined && this.slate === undefined && this.onKey === undefined;
  }

  get floorMs(): number {
    return this.slate?.floorMs ?? this.lastMs;
  }

  get isFilled(): boolean {
    return this.slate?.isActive === true;
  }

  /** The media info of the last frame that was queued. */
  get infoOfLastFrame(): MediaInfo {
    let last = -1;
    for (let i = this.length - 1; i >= 0 && last < 0; i--) {
      const frame = this.at(i);
      if (frame !== undefined && frame.sentAt !== SLATE_FRAME) last = frame.seq;
    }
    return this.infos.of(last);
  }

  /** A sender reconnects, or another one takes over. */
  takeInput(input: TrackInput, initialFrameId: bigint): void {
    // The track had ended and exists only because frames may have to be written again. New frames are no repetition
    // (for tracks that have ended, see EndedTracks).
    if (this.complete && this.hasWrittenAll) {
      this.ids.begin(initialFrameId);
      this.keyMissing = true;
    }
    this.input = input;
    this.endedInput?.allAcknowledged();
    this.endedInput = undefined;
    this.ended = false;
    this.complete = false;
  }

  /** The input's position in the count is known. Later frames, and those that it repeats, are acknowledged to it. */
  startAcks(input: TrackInput): void {
    this.ackedNext = this.ids.next - input.toRepeat - 1;
  }

  /** The sender has announced the end. Its input still gets the acks up to the last frame. */
  awaitLastAck(input: TrackInput): void {
    this.endedInput = input;
    this.acknowledge();
  }

  /** The media info of the frames that are written now, and its tag head. */
  get info(): MediaInfo {
    return this.infos.info;
  }

  get tagHead(): TagHead {
    return this.infos.tagHead;
  }

  /** The media info of the next frame that arrives. */
  get latestInfo(): MediaInfo {
    return this.infos.latest;
  }

  /** Queues a media info behind the frames received so far. If it is in force already, nothing changes. */
  setInfo(info: MediaInfo): void {
    this.infos.queue(info, this.at(this.length - 1)?.seq ?? -1, this.ids.next);
  }

  /** Applies the changes due before frame `seq`. Returns true if there was one. */
  applyChanges(seq: number): boolean {
    return this.infos.apply(seq, this.retained.length > 0);
  }

  /** Forgets written frames from the front while `done` returns true, and the media infos that only they needed. */
  forgetRetained(done: (kept: Kept) => boolean): void {
    this.retained.trim(done, this.memory);
    if (this.infos.forgetReplaced(this.retained.firstSeq)) this.chargeInfos();
  }

  /** Updates the charge for media infos. Returns false if the memory limit was reached. */
  chargeInfos(): boolean {
    return this.memory.setInfos(this.infos.charge);
  }

  /**
   * The kernel has taken frames. If the track has ended, the track after it may have skipped these frames and waits for
   * them.
   */
  sent(): void {
    this.acknowledge();
    const present = this.stream.tracks[this.mediaType];
    if (present !== this && present?.ids === this.ids) present.acknowledge();
  }

  /**
   * Acknowledges to the sender all frames before the first one that is being sent or waits. Skipped and dropped frames
   * behind that one must wait for it, because an ack covers all lower ids.
   *
   * An ack never covers more than the sender has sent on this connection, because nginx-kmp-out treats that as a fatal
   * error. Before the end of the track, video is acknowledged up to a key frame (docs/protocol/behaviour.md,
   * Acknowledging).
   */
  acknowledge(): void {
    const { ids } = this;
    const input = this.input ?? this.endedInput;
    const acks = this.stream.live || this.stream.outlet?.discards === true;
    if (input === undefined || !(acks || this.leftOut)) return;
    // Before the server publishes, only frames count that were left out on purpose, not those that were written.
    const kept = acks ? Infinity : this.retained.firstSeq;
    const done = Math.min(kept, ids.firstUnderWay, this.headSeq ?? ids.next, ids.next - input.toRepeat);
    const byGroup = this.mediaType === 'video' && input.acksGroups && input !== this.endedInput;
    const next = byGroup ? ids.groupStart(done) : done;
    if (next > this.ackedNext) {
      this.ackedNext = next;
      input.acknowledge(ids.idOf(next));
    }
    if (input !== this.endedInput || next < ids.next) return;
    this.endedInput = undefined;
    input.allAcknowledged();
  }

  /** A key frame of video has been received. @param seq its sequence number @param ms its dts */
  keyReceived(seq: number, ms: number): void {
    this.ids.addKey(seq);
    this.onKey?.();
    if (this.lastKeyMs !== undefined && ms > this.lastKeyMs) this.keyInterval = ms - this.lastKeyMs;
    this.lastKeyMs = ms;
  }

  /** How many received frames are not known to have been sent. */
  get undone(): number {
    const { ids } = this;
    const done = Math.min(ids.firstUnderWay, this.headSeq ?? ids.next);
    return Math.max(0, ids.next - Math.max(done, 0));
  }

  /** Drops a frame that was taken from the queue, without acknowledging it. */
  drop(frame: Frame): void {
    this.memory.release(frame);
    if (frame.sentAt !== SLATE_FRAME) this.droppedFrames++;
  }

  /** Drops a frame that was taken from the queue. It counts as done. */
  discard(frame: Frame): void {
    this.drop(frame);
    this.acknowledge();
  }

  /**
   * Drops frames that were taken from the queue on purpose. They count as done, also while no server publishes the
   * stream: their sender does not have to keep them. Media infos that only they needed are forgotten.
   */
  discardAll(frames: readonly Frame[], cause: DropCause): void {
    if (frames.length === 0) return;
    const before = this.droppedFrames;
    for (const frame of frames) this.drop(frame);
    if (cause === 'slow') this.slowFrames += this.droppedFrames - before;
    this.leftOut = true;
    const next = this.headSeq ?? this.ids.next;
    if (this.infos.forgetWaiting(next)) this.chargeInfos();
    this.acknowledge();
  }

  /** True if frames have been written that are not in the queue again. The first queued frames may refer to them. */
  get hasGap(): boolean {
    return this.firstWritten !== undefined && this.headSeq !== this.firstWritten;
  }

  /** `frame` has been encoded. It counts once, however often it is written. */
  written(frame: Frame): void {
    this.firstWritten ??= frame.seq;
    this.writtenMs = frame.ms;
    if (frame.sentAt >= 0) this.resentFrames++;
    if (frame.sentAt === SLATE_FRAME) this.slateFrames++;
    if (frame.sentAt !== NEVER_WRITTEN) return;
    this.sentFrames++;
    this.sentDataBytes += frame.size;
  }

  /** Puts written frames that may not have arrived back at the front of the queue. */
  requeue(): void {
    const again = this.retained.takeAll();
    for (let i = again.length - 1; i >= 0; i--) {
      const frame = again[i];
      if (frame !== undefined) this.unshift(frame);
    }
    this.infos.unapply(again[0]?.seq ?? Infinity);
  }

  /** ms: the age of its oldest frame that the server has not taken. @param now monotonic ms */
  lagMs(now: number): number {
    const waiting = this.length === 0 ? 0 : now - this.headArrival;
    return Math.max(waiting, this.stream.outlet?.lagOf(this.stream) ?? 0);
  }

  addTo(sums: Sums): void {
    const frames = sums.frames[this.mediaType];
    frames.sent += this.sentFrames;
    frames.resent += this.resentFrames;
    frames.dropped += this.droppedFrames;
    frames.slate += this.slateFrames;
  }

  status(now: number): TrackStatus {
    const { gap } = this;
    return {
      pending_frames: this.length,
      mem_used: this.memory.used,
      input: this.input?.status(now) ?? null,
      codec: codecName(this.latestInfo.codecId),
      media: describeMedia(this.latestInfo, this.keyInterval),
      sent_frames: this.sentFrames,
      sent_data_bytes: this.sentDataBytes,
      resent_frames: this.resentFrames,
      dropped_frames: this.droppedFrames,
      slate_frames: this.slateFrames,
      slate: this.isFilled,
      delay: Math.round(this.delay),
      input_lost: gap === undefined ? null : Math.floor((now - gap.since) / 1000),
      lag_ms: Math.round(this.lagMs(now)),
    };
  }
}
