import type { Block } from './block.js';

/** Bit 0 of {@link Frame.flags}. */
export const KEY_FRAME = 1;

/**
 * {@link Frame.sentAt} of a frame that was never written. Times of frames are whole numbers, because V8 stores those in
 * the object itself, and any other number in a separate object for each frame.
 */
export const NEVER_WRITTEN = -2;

/** The fields that {@link Frame.with} may change. Omitted fields keep their values. */
export interface FrameChanges {
  readonly created?: number;
  readonly dts?: number;
  readonly flags?: number;
  readonly ptsDelay?: number;
  readonly payload?: Buffer;
}

/**
 * One coded picture or one piece of audio, from KMP to RTMP. Times are in the track's timescale units. The KMP parser
 * sets most fields once; `ms`, `arrivedAt` and `seq` are set later. There is one class, whose constructor sets every
 * field, so that all frames have the same hidden class in V8.
 */
export class Frame {
  /** dts in ms (media/timescale.ts), set when the frame is queued. */
  ms = 0;
  /** Monotonic ms at which the frame's last byte reached this machine (estimated if the socket is read in turns). */
  arrivedAt = 0;
  /** The frame's number in its track (upstream/tracks/frame-ids.ts), set when the frame is accepted. */
  seq = 0;
  /**
   * Monotonic time, whole ms, at which the kernel had taken the frame. Only for frames that may have to be sent again;
   * below 0 before that time.
   */
  sentAt = NEVER_WRITTEN;
  /** Bytes that its upstream's ledger counts for this frame (upstream/tracks/track-memory.ts); 0: none. */
  charge = 0;
  /**
   * The payload, if it is one piece: bytes `start` to `start + size` of a buffer that may be shared. A slice for each
   * frame would be as much garbage as the frame itself, and most slices are used once or never.
   */
  whole: Buffer | undefined;
  start: number;
  private list: readonly Buffer[] | undefined;
  /**
   * The block that holds the payload, and further blocks if it came in several reads. The frame has one hold on each.
   */
  private block: Block | undefined = undefined;
  private moreBlocks: Block[] | undefined = undefined;

  constructor(
    /** Wall-clock time at the source, since 1970. */
    readonly created: number,
    readonly dts: number,
    /** Bit 0: key frame. */
    readonly flags: number,
    /** pts - dts; may be negative. */
    readonly ptsDelay: number,
    /** Bytes of the payload. */
    readonly size: number,
    /**
     * The payload: a buffer of the socket and the position in it, or slices of such buffers. They are never copied
     * together.
     */
    payload: Buffer | readonly Buffer[],
    start = 0,
  ) {
    const whole = Array.isArray(payload) ? undefined : (payload as Buffer);
    this.whole = whole;
    this.start = start;
    this.list = whole === undefined ? (payload as readonly Buffer[]) : undefined;
  }

  /**
   * Returns a frame that differs in the given fields, in units of the track's timescale. It is for stages that change
   * frames: `frame.with({ dts: frame.dts + 9000 })`. The new frame shares the payload, unless another is given. Both
   * frames keep the memory of the payload, so release the frame that is not passed on.
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

  /** The number of pieces of the payload. */
  get pieces(): number {
    return this.list?.length ?? 1;
  }

  /** The payload's pieces. Makes a slice if there is one piece, so do not use it in the hot path. */
  get parts(): readonly Buffer[] {
    return this.list ?? [this.payload()];
  }

  /** Takes a hold on `block`, which contains the payload or a part of it. */
  retainBlock(block: Block): void {
    block.retain();
    if (this.block === undefined) this.block = block;
    else if (this.moreBlocks === undefined) this.moreBlocks = [block];
    else this.moreBlocks.push(block);
  }

  /** Copies the payload to `home`, from `start` on, and releases its previous memory. */
  moveTo(home: Buffer, start: number): void {
    let at = start;
    for (const part of this.parts) at += part.copy(home, at);
    this.whole = home;
    this.start = start;
    this.list = undefined;
    this.release();
  }

  /** The payload is not needed any more: its memory may be used again. Further calls do nothing. */
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

  /** The payload in one piece. Copies it if it came in several, so do not use it in the hot path. */
  payload(): Buffer {
    const { whole, start, size, list } = this;
    if (whole !== undefined) return whole.subarray(start, start + size);
    const first = list?.[0];
    return list?.length === 1 && first !== undefined ? first : Buffer.concat(list ?? [], size);
  }
}
