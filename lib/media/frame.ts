import type { Block } from './block.js';

/** Bit 0 of {@link Frame.flags}. */
export const KEY_FRAME = 1;

/**
 * {@link Frame.sentAt} of a frame that was never written. Times of frames are whole numbers: V8 keeps those in the object itself,
 * and anything else in an object of its own, for each frame.
 */
export const NEVER_WRITTEN = -2;

/** What {@link Frame.with} may change; what is left out stays as it is. */
export interface FrameChanges {
  readonly created?: number;
  readonly dts?: number;
  readonly flags?: number;
  readonly ptsDelay?: number;
  readonly payload?: Buffer;
}

/**
 * One coded picture or one piece of audio on its way from KMP to RTMP. Times are in the track's timescale units. Written
 * once by the KMP parser; `ms`, `arrivedAt` and `seq` are filled in on the way. One class, and every field set in the
 * constructor, so that the hot path sees one object shape.
 */
export class Frame {
  /** dts in ms (media/timescale.ts), set when the frame is queued. */
  ms = 0;
  /** Monotonic ms at which the frame's last byte reached this machine (an estimate under read pacing). */
  arrivedAt = 0;
  /** Place in the track's count of frames (upstream/frame-ids.ts), set when the frame is accepted. */
  seq = 0;
  /** Monotonic ms, whole ones, at which the kernel had it, of frames that may have to be sent again; below 0 before that. */
  sentAt = NEVER_WRITTEN;
  /** Bytes that this frame is charged with in its upstream's ledger (upstream/tracks/track-memory.ts); 0: none. */
  charge = 0;
  /**
   * The payload, if it lies in one piece: bytes `start` to `start + size` of a buffer that others may share. A slice for each
   * frame would be as much garbage as the frame itself, and most are needed once, if at all.
   */
  whole: Buffer | undefined;
  start: number;
  private list: readonly Buffer[] | undefined;
  /** The block that the payload lies in, and further ones if it came in several reads; each with a hold for this frame. */
  private block: Block | undefined = undefined;
  private moreBlocks: Block[] | undefined = undefined;

  constructor(
    /** Wall-clock time since 1970 at the source. */
    readonly created: number,
    readonly dts: number,
    /** Bit 0: key frame. */
    readonly flags: number,
    /** pts - dts; may be negative. */
    readonly ptsDelay: number,
    /** Bytes of the payload. */
    readonly size: number,
    /** The payload: what was read from the socket and where in it, or slices of that; never copied together. */
    payload: Buffer | readonly Buffer[],
    start = 0,
  ) {
    const whole = Array.isArray(payload) ? undefined : (payload as Buffer);
    this.whole = whole;
    this.start = start;
    this.list = whole === undefined ? (payload as readonly Buffer[]) : undefined;
  }

  /**
   * A frame that differs in the given fields, in units of the track's timescale, for stages that change frames:
   * `frame.with({ dts: frame.dts + 9000 })`. The payload is shared, not copied, unless another is given; both frames keep
   * its memory, so release the one that does not go on.
   */
  with(changes: FrameChanges): Frame {
    const { created = this.created, dts = this.dts, flags = this.flags, ptsDelay = this.ptsDelay, payload } = changes;
    const shared = this.whole ?? this.list ?? [];
    const frame =
      payload === undefined
        ? new Frame(created, dts, flags, ptsDelay, this.size, shared, this.start)
        : new Frame(created, dts, flags, ptsDelay, payload.length, payload);
    frame.arrivedAt = this.arrivedAt;
    if (payload !== undefined) return frame;
    if (this.block !== undefined) frame.retainBlock(this.block);
    for (const block of this.moreBlocks ?? []) frame.retainBlock(block);
    return frame;
  }

  /** In how many pieces the payload is. */
  get pieces(): number {
    return this.list?.length ?? 1;
  }

  /** The payload's pieces. Makes a slice if it is one: not for the hot path. */
  get parts(): readonly Buffer[] {
    return this.list ?? [this.payload()];
  }

  /** The payload lies in `block` (too); takes a hold on it. */
  retainBlock(block: Block): void {
    block.retain();
    if (this.block === undefined) this.block = block;
    else if (this.moreBlocks === undefined) this.moreBlocks = [block];
    else this.moreBlocks.push(block);
  }

  /** Copies the payload to `home`, from `start` on, and lets go of the memory that it came in. */
  moveTo(home: Buffer, start: number): void {
    let at = start;
    for (const part of this.parts) at += part.copy(home, at);
    this.whole = home;
    this.start = start;
    this.list = undefined;
    this.release();
  }

  /** Nobody needs the payload any more: its memory may be used again. Further calls do nothing. */
  release(): void {
    const { block, moreBlocks } = this;
    if (block === undefined) return;
    this.block = undefined;
    block.release();
    if (moreBlocks === undefined) return;
    this.moreBlocks = undefined;
    for (const one of moreBlocks) one.release();
  }

  get isKey(): boolean {
    return (this.flags & KEY_FRAME) !== 0;
  }

  /** The payload in one piece; copies if it came in several. Not for the hot path. */
  payload(): Buffer {
    const { whole, start, size, list } = this;
    if (whole !== undefined) return whole.subarray(start, start + size);
    const first = list?.[0];
    return list?.length === 1 && first !== undefined ? first : Buffer.concat(list ?? [], size);
  }
}
