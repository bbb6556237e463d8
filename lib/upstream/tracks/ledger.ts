import type { Frame } from '../../media/frame.js';
import type { MediaInfo } from '../../media/media-info.js';
import type { ProcessMemory } from './process-memory.js';

/**
 * Counts the memory of one upstream, or of an input without an upstream yet. All bytes are charged when they arrive and
 * released when the kernel has taken them (docs/protocol/behaviour.md, Memory). This is the limit; the highWaterMarks
 * of streams only control the pace.
 */
export class Ledger {
  private charged = 0;

  /**
   * @param limit bytes
   * @param total where the bytes count as well: the memory of all upstreams
   */
  constructor(
    readonly limit: number,
    private total?: ProcessMemory,
  ) {}

  get used(): number {
    return this.charged;
  }

  get left(): number {
    return Math.max(0, this.limit - this.charged);
  }

  /** Whether the process may take more memory from the system to read into. */
  get processMayGrow(): boolean {
    return this.total === undefined || this.total.mayGrow;
  }

  /** Charges `bytes`. If that would exceed the limit, charges nothing and returns false. */
  charge(bytes: number): boolean {
    if (this.charged + bytes > this.limit) return false;
    this.charged += bytes;
    this.total?.charge(bytes);
    return true;
  }

  /** The upstream has ended: what it still holds counts for it only, and will be collected with it. */
  leaveTotal(): void {
    this.total?.release(this.charged);
    this.total = undefined;
  }

  release(bytes: number): void {
    this.charged -= bytes;
    this.total?.release(bytes);
  }
}

/**
 * Bytes that a queued frame costs beside its payload: the Frame, its list of parts, a Buffer object for each part, the
 * queue's entry, and the packet's header, which stays in memory in front of it. Measured with 100,000 queued frames of
 * one part each: 440 if a read brings several frames, 470 if each frame has its own read (docs/performance.md, Memory).
 */
export const FRAME_COST = 448;

/** Bytes that an encoded frame costs until it is sent, beside written and copied bytes: entries in lists, slices. */
export const ENCODED_COST = 128;

/** Bytes that one batch costs until the kernel has it: its lists and marks. */
export const BATCH_COST = 256;

/** Bytes that each piece of a payload, except the first, costs if it came in several reads. */
export const PART_COST = 112;

/** Bytes that a track costs: its queue and its counters. */
export const TRACK_COST = 1024;

/** Bytes that a media info costs beside its codec private data. */
const INFO_COST = 256;

/** The charge for a media info, from its arrival until another one has replaced it. */
export function infoCharge(info: MediaInfo): number {
  return INFO_COST + info.extraData.length;
}

/** The whole charge for a queued frame. */
export function frameCharge(frame: Frame): number {
  return frame.size + FRAME_COST + (frame.pieces - 1) * PART_COST;
}
