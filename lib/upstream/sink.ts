import type { Frame } from '../media/frame.js';
import type { FrameSink } from '../merge/merger.js';
import type { OutputBatch } from '../rtmp/publisher.js';
import type { SessionWriter } from '../rtmp/session-writer.js';
import type { CloseReason } from './close-reason.js';
import { BATCH_COST, ENCODED_COST, frameCharge, type Ledger } from './ledger.js';
import type { Track } from './track.js';

interface Mark {
  readonly track: Track;
  readonly seq: number;
  readonly frames: number;
  readonly charge: number;
}

/** Encoded bytes on their way to the kernel, and what is to be given back and acknowledged when they are there. */
export class SentBatch implements OutputBatch {
  constructor(
    readonly buffers: readonly Buffer[],
    readonly bytes: number,
    private readonly marks: readonly Mark[],
    /** Bytes charged beside the frames: commands, metadata, the batch itself. */
    private readonly otherCharge: number,
    private readonly ledger: Ledger,
  ) {}

  sent(): void {
    this.ledger.release(this.otherCharge);
    for (const { track, seq, frames, charge } of this.marks) {
      this.ledger.release(charge);
      track.sent(frames, charge, seq);
    }
  }
}

/** What the sink asks of its upstream. */
export interface SinkOwner {
  /** The track's media info has changed: fresh metadata and sequence header go out. */
  announce(track: Track): void;
  drained(track: Track): void;
  fail(reason: CloseReason, message: string): void;
}

/** Encodes merged frames with the session of the moment, and keeps the books of what is in each batch. */
export class UpstreamSink implements FrameSink<Track, SentBatch> {
  private touched: Track[] = [];
  private otherCharge = 0;

  constructor(
    public session: SessionWriter,
    private readonly ledger: Ledger,
    private readonly owner: SinkOwner,
  ) {}

  get gathered(): number {
    return this.session.out.length;
  }

  /**
   * Charges what `write` encodes (commands, metadata, headers); past the limit the upstream fails with `reason`.
   * Returns false then.
   */
  charged(reason: CloseReason, write: () => void): boolean {
    const before = this.gathered;
    write();
    return this.charge(this.gathered - before, reason);
  }

  frame(track: Track, frame: Frame, now: number): void {
    if (track.changes.length > 0 && track.applyChanges(frame.seq)) this.owner.announce(track);
    if (!this.ledger.charge(ENCODED_COST)) {
      this.owner.fail('process_frame_failed', 'the memory limit was reached while encoding a frame');
      return;
    }
    track.memUsed += ENCODED_COST;
    this.session.frame(track.stream.state, track.tagHead, frame, track.info.timescale);
    if (track.batchFrames === 0) this.touched.push(track);
    track.batchFrames++;
    track.batchCharge += frameCharge(frame) + ENCODED_COST;
    track.writtenSeq = frame.seq;
    track.inFlight++;
    track.sentFrames++;
    track.sentDataBytes += frame.size;
    track.delay = now - frame.arrivedAt;
  }

  drained(track: Track): void {
    this.owner.drained(track);
  }

  take(): SentBatch {
    const bytes = this.session.out.length;
    const marks = this.touched.map((track) => {
      const mark = { track, seq: track.writtenSeq, frames: track.batchFrames, charge: track.batchCharge };
      track.batchFrames = 0;
      track.batchCharge = 0;
      return mark;
    });
    this.touched = [];
    this.charge(BATCH_COST, 'flush_failed');
    const { otherCharge } = this;
    this.otherCharge = 0;
    return new SentBatch(this.session.out.take(), bytes, marks, otherCharge, this.ledger);
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
