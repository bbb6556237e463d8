import type { Frame } from '../../media/frame.js';
import { FRAME_COST, frameCharge, PART_COST, TRACK_COST, type Ledger } from './ledger.js';

/**
 * Why received frames did not fit. These are close reasons of the upstream, in the order in which the limit is checked.
 */
export type AdmitFailure = 'get_buf_failed' | 'alloc_chain_failed' | 'push_frame_failed';

/** Share of the memory limit that frames of a slate leave free. */
const SPARED = 0.25;
/** What used the memory when the limit was reached, by close reason. */
export const ADMITTED: Readonly<Record<AdmitFailure, string>> = {
  get_buf_failed: 'received frames',
  alloc_chain_failed: 'pieces of frames',
  push_frame_failed: 'queued frames',
};

/**
 * The memory that one track has charged to the ledger of its upstream. Only this class charges and releases memory for
 * a track. A frame stores its own charge ({@link Frame.charge}), so that nothing is released twice.
 */
export class TrackMemory {
  private frames = 0;
  private encodedBytes = 0;
  private fixed = 0;
  private partial = 0;
  private kept = 0;
  private closed = false;

  constructor(private readonly ledger: Ledger) {}

  /** Bytes charged for frames that are queued, being sent, or kept to be sent again. */
  get used(): number {
    return this.frames + this.encodedBytes;
  }

  /** All bytes that the track has charged. */
  get total(): number {
    return this.used + this.fixed + this.partial + this.kept;
  }

  /** Bytes charged for an incomplete packet. */
  get partialBytes(): number {
    return this.partial;
  }

  /** Bytes that the whole upstream may charge. */
  get limit(): number {
    return this.ledger.limit;
  }

  /**
   * Charges received frames. Returns undefined if they fit. Otherwise the upstream must end, which releases everything.
   */
  admit(frames: readonly Frame[]): AdmitFailure | undefined {
    let payload = 0;
    let parts = 0;
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i];
      if (frame === undefined) continue;
      payload += frame.size;
      parts += frame.pieces - 1;
    }
    // There are three charges because the module has a close reason for each.
    const { ledger } = this;
    if (!ledger.charge(payload)) return 'get_buf_failed';
    if (!ledger.charge(parts * PART_COST)) return 'alloc_chain_failed';
    if (!ledger.charge(frames.length * FRAME_COST)) return 'push_frame_failed';
    this.frames += payload + parts * PART_COST + frames.length * FRAME_COST;
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i];
      if (frame !== undefined) frame.charge = frameCharge(frame);
    }
    return undefined;
  }

  /**
   * Charges `count` received frames in numbers, whose payloads have so many bytes. Returns false, and charges nothing,
   * if they do not fit.
   */
  admitNumbers(payload: number, count: number): boolean {
    const bytes = payload + count * FRAME_COST;
    if (!this.ledger.charge(bytes)) return false;
    this.frames += bytes;
    return true;
  }

  /** Frames in numbers that were charged with so many bytes are not needed any more. */
  releaseNumbers(bytes: number): void {
    this.frames -= bytes;
    this.ledger.release(bytes);
  }

  /** `frame` is not needed any more: releases its charge and the memory of its payload. A second call does nothing. */
  release(frame: Frame): void {
    this.releaseCharge(frame);
    frame.release();
  }

  /** Like {@link release}, but releases only the charge, because the payload may still be read. */
  releaseCharge(frame: Frame): void {
    const { charge } = frame;
    frame.charge = 0;
    this.frames -= charge;
    this.ledger.release(charge);
  }

  /** Charges the cost of encoding a frame, beside the frame itself. Returns false if the limit is reached. */
  chargeEncoded(bytes: number): boolean {
    if (!this.ledger.charge(bytes)) return false;
    this.encodedBytes += bytes;
    return true;
  }

  releaseEncoded(bytes: number): void {
    this.encodedBytes -= bytes;
    this.ledger.release(bytes);
  }

  /**
   * Sets the charge for the track itself and for its media infos of `infos` bytes. Returns false if the limit is
   * reached.
   */
  setInfos(infos: number): boolean {
    if (this.closed) return true;
    const more = TRACK_COST + infos - this.fixed;
    if (more > 0 && !this.ledger.charge(more)) return false;
    if (more < 0) this.ledger.release(-more);
    this.fixed += more;
    return true;
  }

  /**
   * Sets the charge for the bytes of an incomplete packet. If the limit is reached, charges nothing and returns false.
   */
  setPartial(bytes: number): boolean {
    if (this.closed) return true;
    this.ledger.release(this.partial);
    this.partial = 0;
    if (!this.ledger.charge(bytes)) return false;
    this.partial = bytes;
    return true;
  }

  /**
   * Sets the charge for the key frame that is kept for the slate. If the limit is reached, charges nothing and returns
   * false.
   */
  setKept(bytes: number): boolean {
    if (this.closed) return false;
    this.ledger.release(this.kept);
    this.kept = 0;
    if (!this.ledger.charge(bytes)) return false;
    this.kept = bytes;
    return true;
  }

  /** Whether `bytes` fit, with room to spare for frames of senders. */
  hasRoom(bytes: number): boolean {
    return this.ledger.left > bytes + this.ledger.limit * SPARED;
  }

  /**
   * The track has ended: releases all charges except those for frames. A frame that is being sent is released when it
   * is sent.
   */
  close(): void {
    this.closed = true;
    this.ledger.release(this.fixed + this.partial + this.kept);
    this.kept = 0;
    this.fixed = 0;
    this.partial = 0;
  }
}
