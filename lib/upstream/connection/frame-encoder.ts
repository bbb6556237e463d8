import type { Block } from '../../media/block.js';
import type { Frame } from '../../media/frame.js';
import type { FrameSink } from '../../merge/merger.js';
import { AckedBytes } from '../../rtmp/acked-bytes.js';
import { RtmpError } from '../../rtmp/errors.js';
import type { OutputBatch } from '../../rtmp/publisher.js';
import type { SessionWriter } from '../../rtmp/session-writer.js';
import type { CloseReason } from '../report/close-reason.js';
import type { UnderWay } from '../tracks/frame-ids.js';
import { BATCH_COST, ENCODED_COST, frameCharge, type Ledger } from '../tracks/ledger.js';
import type { Track } from '../tracks/track.js';

interface Mark {
  readonly track: Track;
  readonly seq: number;
  readonly batch: UnderWay;
  charge: number;
}

/** Encoded bytes on their way to the kernel, and what is to be given back and acknowledged when they are there. */
export class SentBatch implements OutputBatch {
  constructor(
    readonly buffers: readonly Buffer[],
    readonly bytes: number,
    readonly marks: readonly Mark[],
    /** Frames that nobody needs once the batch is sent. */
    readonly frames: Frame[],
    /** The memory of headers and of what was copied, free again once the batch is sent. */
    readonly blocks: readonly Block[],
    /** Bytes charged beside the frames: commands, metadata, the batch itself. */
    readonly otherCharge: number,
    private readonly sink: UpstreamSink,
  ) {}

  sent(): void {
    this.sink.sent(this);
  }
}

/** What the sink asks of its owner. */
export interface SinkOwner {
  /** The track's media info has changed: fresh metadata and sequence header go out. */
  announce(track: Track): void;
  drained(track: Track): void;
  fail(reason: CloseReason, message: string): void;
  /** The kernel has taken frames of the track: the time to forget what need not be sent again. */
  framesSent(track: Track): void;
  /** Frames of the track that were on their way on the connection of `acked` will not arrive. */
  framesLost(track: Track, acked: AckedBytes): void;
}

/** Encodes merged frames for one RTMP connection, and keeps the books of what is in each batch. */
export class UpstreamSink implements FrameSink<Track, SentBatch> {
  /** Whether frames are kept until it is sure that they need not be sent again. */
  retain = false;
  /**
   * Asked before each frame while the connection is about to be replaced; true: the frame is not for this one any more.
   */
  handOver: ((track: Track, frame: Frame) => boolean) | undefined;
  /** What the server has read of the connection. */
  readonly acked = new AckedBytes();
  /** Bytes of the connection ahead of what is encoded next: header and handshake, and what has been taken. */
  taken = 0;
  private touched: Track[] = [];
  /** The frames of the present batch whose memory is free again once it is sent. */
  private frames: Frame[] = [];
  private otherCharge = 0;
  /** Batches that are on their way. */
  private readonly outstanding = new Set<SentBatch>();

  constructor(
    readonly session: SessionWriter,
    private readonly ledger: Ledger,
    private readonly owner: SinkOwner,
    private readonly now: () => number,
  ) {
    // A batch has its blocks until it is sent, and whoever sends it has the batch.
    session.out.pooled = true;
  }

  get gathered(): number {
    return this.session.out.length;
  }

  /**
   * Charges what `write` encodes (commands, metadata, headers); past the limit the upstream fails with `reason`.
   * Returns false then.
   */
  charged(reason: CloseReason, write: () => void): boolean {
    const before = this.gathered;
    try {
      write();
    } catch (error) {
      // Names and urls may be longer than a message can carry.
      if (!(error instanceof RtmpError)) throw error;
      this.owner.fail(reason, error.message);
      return false;
    }
    return this.charge(this.gathered - before, reason);
  }

  frame(track: Track, frame: Frame, now: number): void {
    if (this.handOver?.(track, frame) === true) return;
    if (!track.stream.lets(track, frame, now)) {
      track.discard(frame, this.ledger);
      return;
    }
    if (track.changes.length > 0 && track.applyChanges(frame.seq)) this.owner.announce(track);
    const { out } = this.session;
    const before = out.copied;
    this.session.frame(track.stream.state, track.tagHead, frame, track.info.timescale);
    const encoded = ENCODED_COST + out.copied - before;
    if (!this.ledger.charge(encoded)) {
      this.owner.fail('process_frame_failed', 'the memory limit was reached while encoding a frame');
      return;
    }
    track.memUsed += encoded;
    track.batchCharge += encoded;
    if (track.batch === undefined) {
      this.touched.push(track);
      track.batch = track.ids.depart(frame.seq);
    }
    track.written(frame);
    if (this.retain) track.retained.push(frame, this.acked, this.taken + out.length);
    else {
      track.batchCharge += frameCharge(frame);
      this.frames.push(frame);
    }
    track.delay = now - frame.arrivedAt;
  }

  drained(track: Track): void {
    this.owner.drained(track);
  }

  take(): SentBatch {
    const bytes = this.session.out.length;
    this.taken += bytes;
    const marks = this.marks();
    this.charge(BATCH_COST, 'flush_failed');
    const { otherCharge } = this;
    this.otherCharge = 0;
    const { frames } = this;
    this.frames = [];
    const { out } = this.session;
    const batch = new SentBatch(out.take(), bytes, marks, frames, out.takeBlocks(), otherCharge, this);
    this.outstanding.add(batch);
    return batch;
  }

  /** The kernel has taken a batch. */
  sent(batch: SentBatch): void {
    if (!this.outstanding.delete(batch)) return;
    for (const frame of batch.frames) frame.release();
    for (const block of batch.blocks) block.release();
    this.ledger.release(batch.otherCharge);
    const now = this.now();
    for (const mark of batch.marks) {
      const { track, seq } = mark;
      track.retained.sent(seq, now);
      this.release(mark);
      track.sent();
      this.owner.framesSent(track);
    }
  }

  /**
   * `track` goes by another connection from now on. What is still on its way here is this one's alone: it is not sent again,
   * and its memory is free once it is sent here, whatever the other one has sent by then.
   */
  leave(track: Track): void {
    const frames = track.retained.takeUnsent(this.acked);
    if (frames.length === 0) return;
    for (const batch of [...this.outstanding].reverse()) {
      const mark = batch.marks.find((one) => one.track === track);
      if (mark === undefined) continue;
      batch.frames.push(...frames);
      mark.charge += frames.reduce((sum, frame) => sum + frameCharge(frame), 0);
      return;
    }
  }

  /** The connection is given up: what is on its way is not waited for, and its charges are given back. */
  abandon(): void {
    const lost = [...[...this.outstanding].flatMap((batch) => batch.marks), ...this.marks()];
    for (const batch of this.outstanding) this.ledger.release(batch.otherCharge);
    this.outstanding.clear();
    this.ledger.release(this.otherCharge);
    this.otherCharge = 0;
    for (const mark of lost) {
      this.release(mark);
      this.owner.framesLost(mark.track, this.acked);
    }
  }

  /** What was encoded since the last call, by track. */
  private marks(): Mark[] {
    const marks: Mark[] = [];
    for (const track of this.touched) {
      const { batch, writtenSeq: seq, batchCharge: charge } = track;
      if (batch !== undefined) marks.push({ track, seq, batch, charge });
      track.batch = undefined;
      track.batchCharge = 0;
    }
    this.touched = [];
    return marks;
  }

  private release({ track, batch, charge }: Mark): void {
    this.ledger.release(charge);
    track.memUsed -= charge;
    track.ids.arrived(batch);
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
