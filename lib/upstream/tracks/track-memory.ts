import type { Frame } from '../../media/frame.js';
import { FRAME_COST, frameCharge, PART_COST, TRACK_COST, type Ledger } from './ledger.js';

/** Why received frames did not fit: the close reasons of the upstream, in the order in which the limit is checked. */
export type AdmitFailure = 'get_buf_failed' | 'alloc_chain_failed' | 'push_frame_failed';

/**
 * What one track has charged to the ledger of its upstream. It is the only place that charges and releases for a track: a
 * frame keeps its own charge while it is charged ({@link Frame.charge}), so that nothing is released twice.
 */
export class TrackMemory {
  private frames = 0;
  private encodedBytes = 0;
  private fixed = 0;
  private partial = 0;
  private closed = false;

  constructor(private readonly ledger: Ledger) {}

  /** Bytes charged for frames that are queued, on their way to the kernel, or kept to be sent again. */
  get used(): number {
    return this.frames + this.encodedBytes;
  }

  /** Bytes that the whole upstream may charge. */
  get limit(): number {
    return this.ledger.limit;
  }

  /** Charges received frames; undefined if they fit. What did not fit ends the upstream, which releases everything. */
  admit(frames: readonly Frame[]): AdmitFailure | undefined {
    let payload = 0;
    let parts = 0;
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i];
      if (frame === undefined) continue;
      payload += frame.size;
      parts += frame.pieces - 1;
    }
    // Three charges, since the module that this service replaces has a close reason for each.
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

  /** Nobody needs `frame` any more: its charge and the memory of its payload are released. A second call does nothing. */
  release(frame: Frame): void {
    this.releaseCharge(frame);
    frame.release();
  }

  /** As {@link release}, but something may still read the payload: only the charge is released. */
  releaseCharge(frame: Frame): void {
    const { charge } = frame;
    frame.charge = 0;
    this.frames -= charge;
    this.ledger.release(charge);
  }

  /** Charges what encoding a frame costs beside the frame; false: the limit is reached. */
  chargeEncoded(bytes: number): boolean {
    if (!this.ledger.charge(bytes)) return false;
    this.encodedBytes += bytes;
    return true;
  }

  releaseEncoded(bytes: number): void {
    this.encodedBytes -= bytes;
    this.ledger.release(bytes);
  }

  /** Sets the charge for the track itself and for its media infos of `infos` bytes; false: the limit is reached. */
  setInfos(infos: number): boolean {
    if (this.closed) return true;
    const more = TRACK_COST + infos - this.fixed;
    if (more > 0 && !this.ledger.charge(more)) return false;
    if (more < 0) this.ledger.release(-more);
    this.fixed += more;
    return true;
  }

  /** Sets the charge for the bytes of a packet that has not arrived whole; false: the limit is reached, nothing is charged. */
  setPartial(bytes: number): boolean {
    if (this.closed) return true;
    this.ledger.release(this.partial);
    this.partial = 0;
    if (!this.ledger.charge(bytes)) return false;
    this.partial = bytes;
    return true;
  }

  /** The track has ended: what it was charged for besides frames is released. Frames on their way are released when sent. */
  close(): void {
    this.closed = true;
    this.ledger.release(this.fixed + this.partial);
    this.fixed = 0;
    this.partial = 0;
  }
}
