import { codecName, type MediaType } from '../../media/codec.js';
import { sameMediaInfo, type MediaInfo } from '../../media/media-info.js';
import { TrackQueue, type QueueGroup } from '../../merge/track-queue.js';
import { TagHead } from '../../rtmp/media-tags.js';
import type { StreamState } from '../../rtmp/session-writer.js';
import { NEVER_WRITTEN, type Frame } from '../../media/frame.js';
import type { FrameIds, UnderWay } from './frame-ids.js';
import { infoCharge } from './ledger.js';
import { Retention, type Kept } from './retention.js';
import type { TrackMemory } from './track-memory.js';
import type { TrackStatus } from '../report/status.js';
import type { TrackInput } from './track-input.js';
import type { Counting, Sums } from '../report/totals.js';

/** A media info that takes effect at a place in the queue (spec/rtmp.md, Where we do better). */
interface InfoChange {
  readonly seq: number;
  readonly info: MediaInfo;
}

/** What one batch of encoded frames has of one track. */
export interface BatchShare {
  /** Sequence number of its last frame. */
  seq: number;
  /** Bytes charged for encoding, beside the frames. */
  encoded: number;
  /** Frames that nobody needs once the batch is sent. */
  readonly frames: Frame[];
  readonly underWay: UnderWay;
}

/** What publishes a stream: all that an upstream asks of an RTMP session about its streams and tracks. */
export interface StreamOutlet {
  /** Queues frames that have been charged and numbered. */
  write(track: Track, frames: readonly Frame[]): void;
  addTrack(track: Track): void;
  removeTrack(track: Track): void;
  /** The stream's tracks are known, or one has joined: metadata and sequence headers go out. */
  announce(stream: TrackStream): void;
  /** The input of the track has left: what is queued is written, then the track ends. */
  inputLeft(track: Track): void;
  /** All tracks of the stream have ended: it is unpublished. */
  removeStream(stream: TrackStream): void;
  /** True if no stream is left. */
  readonly isEmpty: boolean;
}

/** What a track knows of the RTMP message stream that it belongs to. */
export interface TrackStream extends QueueGroup {
  readonly name: string;
  readonly tracks: Readonly<Partial<Record<MediaType, Track>>>;
  /** The RTMP session that publishes the stream; undefined until it is added to one. */
  readonly outlet: StreamOutlet | undefined;
  /** The stream as its present RTMP connection knows it. */
  state: StreamState;
  /** True once its tracks are known, or the time to wait for them is over: from then on it has metadata. */
  readonly settled: boolean;
  /**
   * True if the server is known to publish the stream on its present connection, or counts as one that never answers. Until
   * then nothing is acknowledged to senders.
   */
  live: boolean;
  /** The next frame is the first one after a break: if there is video, nothing is written ahead of its key frame. */
  beginAtKey(): void;
  /** Whether a frame may be written now; a frame that may not is dropped. @param now monotonic ms */
  mayWrite(track: Track, frame: Frame, now: number): boolean;
}

/** One video or audio rendition of a stream: its queue of frames, and what has to be known to write them. */
export class Track extends TrackQueue implements Counting {
  readonly mediaType: MediaType;
  readonly ids: FrameIds;
  /** The KMP connection of the moment; undefined while the sender is away. */
  input: TrackInput | undefined;
  /** The media info that frames are written with now, and its tag head. */
  info: MediaInfo;
  tagHead: TagHead;
  /** Changes that wait in the queue, in order. */
  readonly changes: InfoChange[] = [];
  /** What changes have replaced, as long as frames from before them may have to be written again. */
  private readonly replaced: InfoChange[] = [];
  /** What the batch that is being encoded has of this track. */
  share: BatchShare | undefined;
  sentFrames = 0;
  sentDataBytes = 0;
  /** Times that a frame which the kernel had taken was written once more, on another connection. */
  resentFrames = 0;
  droppedFrames = 0;
  /** ms from arrival to merge of the last frame written. */
  delay = 0;
  /** True while video is left out up to the next key frame, on a connection that was made anew. */
  waitKey = false;
  /** True while received video is left out up to the next key frame (overload). */
  dropping = false;
  /** Frames written that may have to be written again. */
  readonly retained = new Retention();
  /** True if its last input left while it waited for a key frame: the next one has to wait, too. */
  keyMissing: boolean;
  /** True once its sender has said that there is no more. */
  complete = false;
  /** Sequence number of the first frame that was ever written. */
  private firstWritten: number | undefined;
  /** The input of a sender that has announced the end, until its last frame is acknowledged or another input comes. */
  private endedInput: TrackInput | undefined;
  /** The sequence number that the input was told last: all frames before it are done. */
  private ackedNext = 0;

  constructor(
    readonly stream: TrackStream,
    readonly memory: TrackMemory,
    info: MediaInfo,
    before: { readonly ids: FrameIds; readonly keyMissing: boolean },
  ) {
    super(stream);
    this.mediaType = info.mediaType;
    this.info = info;
    this.tagHead = new TagHead(info);
    this.ids = before.ids;
    this.keyMissing = before.keyMissing;
  }

  /** True once it has ended and left its stream; frames of it may still be on their way. */
  get isGone(): boolean {
    return this.stream.tracks[this.mediaType] !== this;
  }

  /** True if there is nothing in its queue but what is to be written again. */
  get hasWrittenAll(): boolean {
    return this.at(this.length - 1)?.sentAt !== NEVER_WRITTEN;
  }

  /** A sender comes back, or another one comes. */
  takeInput(input: TrackInput, initialFrameId: bigint): void {
    // The track had come to its end, and is here only for what may have to be written again: what comes now is no repetition
    // (see EndedTracks, for tracks that have ended).
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

  /** The input has found its place in the count: it is to be acknowledged what follows, and what it repeats. */
  startAcks(input: TrackInput): void {
    this.ackedNext = this.ids.next - input.toRepeat - 1;
  }

  /** The sender has announced the end: its input is still told when the last frame is done. */
  awaitLastAck(input: TrackInput): void {
    this.endedInput = input;
    this.acknowledge();
  }

  /** The media info that the next frame to come has. */
  get latestInfo(): MediaInfo {
    return this.changes.at(-1)?.info ?? this.info;
  }

  /** Media infos beside the present one: that wait, or may be needed again. */
  get otherInfos(): number {
    return this.changes.length + this.replaced.length;
  }

  /** Bytes that its media infos cost: the present one, those that wait, and those that may be needed again. */
  get infoCharge(): number {
    const others = [...this.changes, ...this.replaced];
    return others.reduce((sum, { info }) => sum + infoCharge(info), infoCharge(this.info));
  }

  /** Queues a media info behind the frames received so far; one that is in force already changes nothing. */
  setInfo(info: MediaInfo): void {
    // Those that no frame has followed were never in force.
    const lastSeq = this.at(this.length - 1)?.seq ?? -1;
    for (let last = this.changes.at(-1); last !== undefined && last.seq > lastSeq; last = this.changes.at(-1)) {
      this.changes.pop();
    }
    if (!sameMediaInfo(info, this.latestInfo)) this.changes.push({ seq: this.ids.next, info });
  }

  /** Makes the changes due before frame `seq` the present media info; true if there was one. */
  applyChanges(seq: number): boolean {
    let changed = false;
    for (let next = this.changes[0]; next !== undefined && next.seq <= seq; next = this.changes[0]) {
      this.changes.shift();
      changed = !sameMediaInfo(next.info, this.info) || changed;
      if (this.retained.length > 0) this.replaced.push({ seq: next.seq, info: this.info });
      this.info = next.info;
    }
    if (changed) this.tagHead = new TagHead(this.info);
    return changed;
  }

  /** Forgets written frames from the front while `done` says so, and the media infos that only they needed. */
  forgetRetained(done: (kept: Kept) => boolean): void {
    for (const frame of this.retained.trim(done)) this.memory.release(frame);
    const { firstSeq } = this.retained;
    const { length } = this.replaced;
    for (let first = this.replaced[0]; first !== undefined && first.seq <= firstSeq; first = this.replaced[0]) {
      this.replaced.shift();
    }
    if (this.replaced.length < length) this.chargeInfos();
  }

  /** Brings what is charged for media infos up to date; false: the memory limit leaves no room. */
  chargeInfos(): boolean {
    return this.memory.setInfos(this.infoCharge);
  }

  /** The kernel has taken frames. If the track is gone, its successor may have skipped them as known, and waits for it. */
  sent(): void {
    this.acknowledge();
    const present = this.stream.tracks[this.mediaType];
    if (present !== this && present?.ids === this.ids) present.acknowledge();
  }

  /** Goes back to the media info that frame `seq` was written with: it is to be written again. */
  private unapply(seq: number): void {
    let info: MediaInfo | undefined;
    for (let last = this.replaced.at(-1); last !== undefined && last.seq > seq; last = this.replaced.at(-1)) {
      this.replaced.pop();
      this.changes.unshift({ seq: last.seq, info: this.info });
      this.info = info = last.info;
    }
    this.replaced.length = 0;
    if (info !== undefined) this.tagHead = new TagHead(info);
  }

  /**
   * Tells the sender which frames are done: all before the first that is on its way, or that waits. Frames behind it that
   * were skipped or dropped have to wait for it, because an ack covers all frames below.
   *
   * The ack is never beyond what the sender has sent on this connection: nginx-kmp-out takes that for a fatal error. Before
   * the end of the track, video is acknowledged up to a key frame (docs/protocol/behaviour.md, Acknowledging).
   */
  acknowledge(): void {
    const { ids } = this;
    const input = this.input ?? this.endedInput;
    if (input === undefined || !this.stream.live) return;
    const done = Math.min(ids.firstUnderWay, this.head?.seq ?? ids.next, ids.next - input.toRepeat);
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

  /** A frame that has been taken off the queue is left out. */
  drop(frame: Frame): void {
    this.memory.release(frame);
    this.droppedFrames++;
  }

  /** The same, and the frame counts as done. */
  discard(frame: Frame): void {
    this.drop(frame);
    this.acknowledge();
  }

  /** True if frames have been written that are not in the queue again: what is in front there refers to them. */
  get hasGap(): boolean {
    return this.firstWritten !== undefined && this.head?.seq !== this.firstWritten;
  }

  /** `frame` has been encoded. Counts once, however often it is written. */
  written(frame: Frame): void {
    this.firstWritten ??= frame.seq;
    if (frame.sentAt >= 0) this.resentFrames++;
    if (frame.sentAt !== NEVER_WRITTEN) return;
    this.sentFrames++;
    this.sentDataBytes += frame.size;
  }

  /** Puts what was written and may not have arrived back in front of the queue. */
  requeue(): void {
    const again = this.retained.takeAll();
    for (let i = again.length - 1; i >= 0; i--) {
      const frame = again[i];
      if (frame !== undefined) this.unshift(frame);
    }
    this.unapply(again[0]?.seq ?? Infinity);
  }

  addTo(sums: Sums): void {
    const frames = sums.frames[this.mediaType];
    frames.sent += this.sentFrames;
    frames.resent += this.resentFrames;
    frames.dropped += this.droppedFrames;
  }

  status(now: number): TrackStatus {
    return {
      pending_frames: this.length,
      mem_used: this.memory.used,
      input: this.input?.status(now) ?? null,
      codec: codecName(this.latestInfo.codecId),
      sent_frames: this.sentFrames,
      sent_data_bytes: this.sentDataBytes,
      resent_frames: this.resentFrames,
      dropped_frames: this.droppedFrames,
      delay: Math.round(this.delay),
    };
  }
}
