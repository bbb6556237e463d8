import type { Frame } from '../../media/frame.js';
import type { MediaInfo } from '../../media/media-info.js';

/**
 * The memory of one upstream (or of an input without one yet): every byte held is charged where it enters and released
 * when the kernel has it (spec/behaviour.md, Memory). This is the limit; highWaterMarks only pace.
 */
export class Ledger {
  private charged = 0;

  /** @param limit bytes */
  constructor(readonly limit: number) {}

  get used(): number {
    return this.charged;
  }

  get left(): number {
    return Math.max(0, this.limit - this.charged);
  }

  /** Charges `bytes`, or charges nothing and returns false if that would pass the limit. */
  charge(bytes: number): boolean {
    if (this.charged + bytes > this.limit) return false;
    this.charged += bytes;
    return true;
  }

  release(bytes: number): void {
    this.charged -= bytes;
  }
}

/**
 * Bytes that a queued frame costs beside its payload: the Frame, its list of parts, a Buffer object for each part, the
 * queue's entry, and the packet's header, which stays in memory in front of it. Measured with 100,000 queued frames of one
 * part each: 440 where a read brings several frames, 470 where each has a read of its own (docs/performance.md, Memory).
 */
export const FRAME_COST = 448;

/** Bytes that an encoded frame costs until it is sent beside what is written or copied for it: entries in lists, slices. */
export const ENCODED_COST = 128;

/** Bytes that one batch on its way to the kernel costs: its lists and marks. */
export const BATCH_COST = 256;

/** Bytes that a payload which came in several reads costs for each piece but the first. */
export const PART_COST = 112;

/** Bytes that a track costs: its queue, its books. */
export const TRACK_COST = 1024;

/** Bytes that a media info costs beside its codec private data. */
const INFO_COST = 256;

/** What a media info is charged for, from its arrival until another one has taken its place. */
export function infoCharge(info: MediaInfo): number {
  return INFO_COST + info.extraData.length;
}

/** What a queued frame is charged for, in all. */
export function frameCharge(frame: Frame): number {
  return frame.size + FRAME_COST + (frame.pieces - 1) * PART_COST;
}
