import type { Block } from '../../../media/block.js';
import { Frame, SLATE_FRAME } from '../../../media/frame.js';
import { framePool } from '../../../media/frame-pool.js';
import type { FrameSink } from '../../../merge/merger.js';
import { AckedBytes } from '../../../rtmp/chunk/acked-bytes.js';
import { RtmpError } from '../../../rtmp/errors.js';
import type { OutputBatch } from '../../../rtmp/network/publisher.js';
import type { SessionWriter } from '../../../rtmp/session-writer.js';
import type { CloseReason } from '../../report/close-reason.js';
import { BATCH_COST, ENCODED_COST, type Ledger } from '../../tracks/ledger.js';
import type { LateFrames } from '../../tracks/late-frames.js';
import { BatchShare } from '../../tracks/batch-share.js';
import type { Track } from '../../tracks/track.js';

/**
 * The frame in numbers that is being encoded, of all encoders: one object for all of them, which is in the processor's
 * cache.
 */
const current = new Frame(NaN, NaN, 0, 0, 0, []);
const NO_BUFFER = Buffer.alloc(0);

/** No frame has arrived. */
const NONE = -1;

/**
 * Shares that are not in use, of all encoders: the last ones that were used are in the processor's cache. There are as
 * many as tracks have had frames in one write.
 */
const spareShares: BatchShare<Track>[] = [];

/**
 * Encoded bytes for the kernel. When the kernel has taken them, their memory is released and their frames are
 * acknowledged.
 */
export class EncodedBatch implements OutputBatch {
  taken = 0;

  constructor(
    readonly buffers: readonly Buffer[],
    readonly bytes: number,
    readonly shares: readonly BatchShare<Track>[],
    /** The memory of headers and of copied payloads. It is free again once the batch is sent. */
    readonly blocks: readonly Block[],
    /** Bytes charged for commands, metadata and the batch itself. */
    readonly otherCharge: number,
    private readonly encoder: FrameEncoder,
  ) {}

  sent(): void {
    this.encoder.sent(this);
  }
}

/** What the encoder reports. */
export interface EncoderOwner {
  /**
   * The track's media info has changed. New metadata and a new sequence header must be written before the next frame.
   *
   * @param ms dts of that frame
   */
  mediaInfoChanged(track: Track, ms: number): void;
  /** The last frame of a track without an input has been written. */
  trackWritten(track: Track): void;
  /** The kernel has taken frames of the track, on the connection of `acked`. */
  framesSent(track: Track, acked: AckedBytes): void;
  /** Frames of the track on the connection of `acked` will not arrive. */
  framesLost(track: Track, acked: AckedBytes): void;
  /** The upstream cannot continue. */
  fail(reason: CloseReason, message: string): void;
}

/** Encodes merged frames for one RTMP connection, and records the contents of each batch. */
export class FrameEncoder implements FrameSink<Track, EncodedBatch> {
  /** Whether written frames are kept until it is certain that they do not have to be sent again. */
  keepWritten = false;
  /**
   * Called before each frame while a replacement of the connection is being opened. Returns true if it has moved the
   * frame's stream to the replacement.
   */
  moveFirst: ((track: Track, frame: Frame) => boolean) | undefined;
  /** What the server has read from the connection. */
  readonly acked = new AckedBytes();
  /** Bytes of the connection before the next encoded byte: header, handshake and taken batches. */
  taken = 0;
  /**
   * Called for each batch with frames.
   *
   * @param start position of its first byte on the connection, and `end` of the first one behind it
   * @param first monotonic ms at which its first frame arrived, and `last` its last one
   */
  onBatch: (start: number, end: number, first: number, last: number) => void = () => {};
  /** Arrival of the first and the last frame since the last batch, monotonic ms; NONE: there was no frame. */
  private firstArrival = NONE;
  private lastArrival = NONE;
  /**
   * The shares of the tracks whose frames are collected: the first {@link openCount}. What follows does not count. The
   * list is never emptied, because V8 would then allocate its memory again for each batch.
   */
  private open: BatchShare<Track>[] = [];
  private openCount = 0;
  /** The list for what is encoded while the shares of {@link open} are evaluated. Its content does not count. */
  private spare: BatchShare<Track>[] | undefined;
  private otherCharge = 0;
  /** Batches that the kernel has not taken yet. */
  private readonly outstanding = new Set<EncodedBatch>();

  constructor(
    readonly writer: SessionWriter,
    private readonly ledger: Ledger,
    private readonly owner: EncoderOwner,
    private readonly now: () => number,
    /** Which frames are too late to be written. */
    private readonly late: LateFrames,
  ) {
    // A batch holds its blocks until it is sent.
    writer.out.pooled = true;
  }

  /**
   * The memory that begins with all encoded bytes, to be written before anything else is encoded; {@link sentAtOnce}
   * must follow if the kernel has taken them all. undefined if they need a batch.
   */
  get toSendAtOnce(): Buffer | undefined {
    // A batch that the memory limit does not allow ends the upstream, in `take`.
    return this.ledger.left < BATCH_COST ? undefined : this.writer.out.inOnePiece;
  }

  get encodedBytes(): number {
    return this.writer.out.length;
  }

  /**
   * Runs `write` (commands, metadata, headers) and charges the bytes that it encodes. Above the memory limit, the
   * upstream fails with `reason` and this returns false.
   */
  charged(reason: CloseReason, write: () => void): boolean {
    const before = this.encodedBytes;
    try {
      write();
    } catch (error) {
      // A name or URL may be longer than a message can be.
      if (!(error instanceof RtmpError)) throw error;
      this.owner.fail(reason, error.message);
      return false;
    }
    return this.charge(this.encodedBytes - before, reason);
  }

  head(track: Track, now: number): boolean {
    const block = track.ring.headBlock;
    if (block === undefined || this.moveFirst !== undefined) return false;
    const isLate = now - track.headArrival > this.late.after;
    if (isLate || !track.stream.mayWriteAll || track.slate !== undefined || track.infos.isWaiting) return false;
    track.takeHead(current, block);
    const { charge } = current;
    const share = this.encode(track, current);
    // No memory is kept in use by this object, not even if the upstream has failed.
    current.buffer = NO_BUFFER;
    if (share === undefined) {
      block.release();
      return true;
    }
    share.lastSeq = current.seq;
    if (this.keepWritten) track.retained.push(current, this.acked, this.taken + this.writer.out.length, block);
    else share.addNumbers(block, charge);
    this.arrived(track, current, now);
    return true;
  }

  frame(track: Track, frame: Frame, now: number): void {
    if (this.moveFirst?.(track, frame) === true) return;
    const isLate = now - frame.arrivedAt > this.late.after && this.late.drops(track, frame, now);
    if (isLate || !track.stream.mayWrite(track, frame, now)) {
      track.discard(frame);
      return;
    }
    const isSlate = frame.sentAt === SLATE_FRAME;
    if (track.slate !== undefined && track.slate.switchTo(isSlate)) this.owner.mediaInfoChanged(track, frame.ms);
    // The slate shows what was in force before.
    if (track.infos.isWaiting && !isSlate && track.applyChanges(frame.seq)) {
      this.owner.mediaInfoChanged(track, frame.ms);
    }
    const share = this.encode(track, frame);
    if (share === undefined) return;
    if (isSlate) {
      share.add(frame);
      return;
    }
    share.lastSeq = frame.seq;
    if (this.keepWritten) track.retained.push(frame, this.acked, this.taken + this.writer.out.length);
    else share.add(frame);
    this.arrived(track, frame, now);
  }

  /** Returns the share of the track in the batch; undefined if the upstream has failed because of the memory limit. */
  private encode(track: Track, frame: Frame): BatchShare<Track> | undefined {
    const { out } = this.writer;
    const before = out.copied;
    const { tagHead, info } = track.slate?.shown ?? track;
    this.writer.frame(track.stream.state, tagHead, frame, info.timescale);
    const encoded = ENCODED_COST + out.copied - before;
    if (!track.memory.chargeEncoded(encoded)) {
      this.owner.fail('process_frame_failed', 'the memory limit was reached while encoding a frame');
      return undefined;
    }
    let share = track.share;
    if (share === undefined) {
      share = track.share = spareShares.pop() ?? new BatchShare<Track>();
      this.open[this.openCount++] = share;
      share.begin(track, frame.seq);
      track.ids.depart(share);
    }
    share.encoded += encoded;
    track.written(frame);
    return share;
  }

  private arrived(track: Track, { arrivedAt }: Frame, now: number): void {
    if (this.firstArrival === NONE) this.firstArrival = arrivedAt;
    this.lastArrival = arrivedAt;
    track.delay = now - arrivedAt;
  }

  drained(track: Track): void {
    this.owner.trackWritten(track);
  }

  take(): EncodedBatch {
    const bytes = this.countTaken();
    const shares = this.closeShares();
    this.charge(BATCH_COST, 'flush_failed');
    const { otherCharge } = this;
    this.otherCharge = 0;
    const { out } = this.writer;
    const batch = new EncodedBatch(out.take(), bytes, shares, out.takeBlocks(), otherCharge, this);
    this.outstanding.add(batch);
    return batch;
  }

  /** The kernel has taken all that {@link toSendAtOnce} returned: it needs no batch. */
  sentAtOnce(): void {
    this.countTaken();
    this.writer.out.clear();
    // What is called below may encode more, and even send it.
    const { open: shares, openCount: count, spare = [] } = this;
    this.open = spare;
    this.openCount = 0;
    this.spare = undefined;
    for (let i = 0; i < count; i++) {
      const share = shares[i];
      if (share?.track !== undefined) share.track.share = undefined;
    }
    if (this.otherCharge > 0) this.ledger.release(this.otherCharge);
    this.otherCharge = 0;
    const now = this.now();
    for (let i = 0; i < count; i++) {
      const share = shares[i];
      if (share === undefined) continue;
      this.shareSent(share, now);
      spareShares.push(share);
    }
    if (this.openCount > 0 || this.open !== spare) {
      this.spare = shares;
      return;
    }
    // Usually nothing was encoded. The same list is used again, because it is in the processor's cache.
    this.open = shares;
    this.spare = spare;
  }

  /** The kernel has taken a batch. */
  sent(batch: EncodedBatch): void {
    if (!this.outstanding.delete(batch)) return;
    for (const block of batch.blocks) block.release();
    this.ledger.release(batch.otherCharge);
    const now = this.now();
    for (const share of batch.shares) this.shareSent(share, now);
  }

  private shareSent(share: BatchShare<Track>, now: number): void {
    const { track } = share;
    if (track === undefined) return;
    for (let i = 0; i < share.count; i++) {
      const frame = share.frame(i);
      if (frame === undefined) continue;
      track.memory.release(frame);
      // The share was the last to refer to it.
      framePool.give(frame);
    }
    if (share.charge > 0) {
      track.memory.releaseNumbers(share.charge);
      share.releaseBlocks();
    }
    share.clear();
    track.retained.sent(share.lastSeq, now);
    this.release(track, share);
    track.sent();
    this.owner.framesSent(track, this.acked);
  }

  private countTaken(): number {
    const bytes = this.writer.out.length;
    this.taken += bytes;
    if (this.firstArrival !== NONE) {
      this.onBatch(this.taken - bytes, this.taken, this.firstArrival, this.lastArrival);
      this.firstArrival = NONE;
    }
    return bytes;
  }

  /**
   * `track` moves to another connection. Frames that this connection is still sending are not sent again by the other
   * one. Their memory is released when they are sent here, whatever the other connection has sent by then.
   */
  leave(track: Track): void {
    const frames = track.retained.takeUnsent(this.acked);
    if (frames.length === 0) return;
    for (const batch of [...this.outstanding].reverse()) {
      const share = batch.shares.find((one) => one.track === track);
      if (share === undefined) continue;
      for (const frame of frames) share.add(frame);
      return;
    }
  }

  /**
   * The connection is closed at once. Charges for unsent batches are released without waiting for them.
   *
   * @returns releases their memory; call it when the socket is closed, because an interrupted write reads it until then
   */
  abandon(): () => void {
    const lost = [...[...this.outstanding].flatMap((batch) => batch.shares), ...this.closeShares()];
    const blocks = [...this.outstanding].flatMap((batch) => batch.blocks);
    const frames = lost.flatMap((share) => share.list());
    for (const batch of this.outstanding) this.ledger.release(batch.otherCharge);
    this.outstanding.clear();
    this.ledger.release(this.otherCharge);
    this.otherCharge = 0;
    this.writer.out.clear();
    for (const share of lost) {
      const { track } = share;
      if (track === undefined) continue;
      for (let i = 0; i < share.count; i++) {
        const frame = share.frame(i);
        if (frame !== undefined) track.memory.releaseCharge(frame);
      }
      track.memory.releaseNumbers(share.charge);
      this.release(track, share);
      this.owner.framesLost(track, this.acked);
    }
    return () => {
      for (const block of blocks) block.release();
      for (const frame of frames) frame.release();
      for (const share of lost) share.releaseBlocks();
    };
  }

  /** The batches' parts since the last call, by track. */
  private closeShares(): BatchShare<Track>[] {
    const shares = this.open;
    shares.length = this.openCount;
    this.open = [];
    this.openCount = 0;
    for (const { track } of shares) if (track !== undefined) track.share = undefined;
    return shares;
  }

  private release(track: Track, share: BatchShare<Track>): void {
    track.memory.releaseEncoded(share.encoded);
    track.ids.arrived(share);
  }

  private charge(bytes: number, reason: CloseReason): boolean {
    if (!this.ledger.charge(bytes)) {
      this.owner.fail(reason, `the memory limit of ${this.ledger.limit} bytes was reached`);
      return false;
    }
    this.otherCharge += bytes;
    return true;
  }
}
