import type { Block } from './block.js';

/** Bit 0 of {@link Frame.flags}. */
export const KEY_FRAME = 1;

/**
 * {@link Frame.sentAt} of a frame that was never written. Times of frames are integers: V8 stores those in the object
 * itself, and any other number in a separate object for each frame.
 */
export const NEVER_WRITTEN = -2;

/**
 * {@link Frame.sentAt} of a frame of a slate: the service has made it, because no media arrives. It is never resent and
 * not acknowledged. Its sequence number is that of the next frame of the sender.
 */
export const SLATE_FRAME = -3;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What {@link Frame.with} may change; what is left out stays as it is. */
export interface FrameChanges {
  readonly created?: number;
  readonly dts?: number;
  readonly flags?: number;
  readonly ptsDelay?: number;
  readonly payload?: Buffer;
}

/**
 * One coded picture or piece of audio on its way from KMP to RTMP. Times are in timescale units of the track. The KMP
 * parser sets the constructor fields; `ms`, `arrivedAt` and `seq` are set later. There is one class, and the
 * constructor sets every field, so that the hot path sees one object shape.
 */
export class Frame {
  // Each field has an initial value of its kind. V8 then writes later numbers into the object; a field that was
  // undefined at first would get a new object for each number that is no small integer.
  /** Wall-clock time since 1970 at the source, timescale units. */
  readonly created: number = NaN;
  readonly dts: number = NaN;
  /** Bit 0: key frame. */
  readonly flags: number = 0;
  /** pts - dts; may be negative. */
  readonly ptsDelay: number = 0;
  /** Bytes of the payload. */
  readonly size: number = 0;
  /** dts in ms (media/timescale.ts), set when the frame is queued. */
  ms = 0;
  /** Monotonic ms at which the frame's last byte reached this machine (an estimate under read pacing). */
  arrivedAt = 0;
  /** Position in the count of frames of the track (upstream/tracks/frame-ids.ts), set when the frame is accepted. */
  seq = 0;
  /**
   * Monotonic ms, an integer, at which the kernel took the frame; set for frames that may have to be sent again.
   * Below 0 before that.
   */
  sentAt = NEVER_WRITTEN;
  /** Bytes that this frame is charged with in its upstream's ledger (upstream/tracks/track-memory.ts); 0: none. */
  charge = 0;
  /**
   * The buffer that holds the payload, if the payload is in one piece: bytes `start` to `start + size`. Others may
   * share the buffer. A slice for each frame would be as much garbage as the frame itself, and most slices are needed
   * once or never.
   */
  buffer: Buffer | undefined;
  start = 0;
  private list: readonly Buffer[] | undefined;
  /**
   * The block that holds the payload, and further ones if it came in several reads. The frame has one hold on each.
   */
  private block: Block | undefined = undefined;
  private moreBlocks: Block[] | undefined = undefined;
  /** True while it is in use and of a pool. */
  private pooled = false;

  /**
   * @param payload the buffer that was read, and `start`, the offset in it; or slices of such buffers. It is never
   *   copied together
   */
  constructor(
    created: number,
    dts: number,
    flags: number,
    ptsDelay: number,
    size: number,
    payload: Buffer | readonly Buffer[],
    start = 0,
  ) {
    this.created = created;
    this.dts = dts;
    this.flags = flags;
    this.ptsDelay = ptsDelay;
    this.size = size;
    const buffer = Array.isArray(payload) ? undefined : (payload as Buffer);
    this.buffer = buffer;
    this.start = start;
    this.list = buffer === undefined ? (payload as readonly Buffer[]) : undefined;
  }

  /** @internal The same frame, for the parser to set its fields. */
  get fields(): Writable<Frame> {
    return this;
  }

  /** @internal Only for the pool: the frame gets another payload. Its other fields have to be set. */
  begin(size: number, buffer: Buffer, start: number): this {
    this.fields.size = size;
    this.buffer = buffer;
    this.start = start;
    this.list = undefined;
    this.ms = 0;
    this.arrivedAt = 0;
    this.seq = 0;
    this.sentAt = NEVER_WRITTEN;
    this.charge = 0;
    this.pooled = true;
    return this;
  }

  /** @internal Only for the pool: the frame has no content any more. Returns false if it is not of the pool. */
  finish(): boolean {
    if (!this.pooled) return false;
    this.pooled = false;
    this.release();
    this.buffer = undefined;
    return true;
  }

  /**
   * Returns a frame that differs in the given fields, in units of the track's timescale. It is for stages that change
   * frames: `frame.with({ dts: frame.dts + 9000 })`. The new frame shares the payload, unless another is given. Both
   * frames keep the memory of the payload, so release the frame that is not passed on.
   */
  with(changes: FrameChanges): Frame {
    const { created = this.created, dts = this.dts, flags = this.flags, ptsDelay = this.ptsDelay, payload } = changes;
    const shared = this.buffer ?? this.list ?? [];
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

  /** Number of pieces of the payload. */
  get pieces(): number {
    return this.list?.length ?? 1;
  }

  /** The pieces of the payload. Creates a slice if there is one piece: not for the hot path. */
  get parts(): readonly Buffer[] {
    return this.list ?? [this.payload()];
  }

  /** Takes a hold on `block`, which holds the payload, or a part of it. */
  retainBlock(block: Block): void {
    block.retain();
    if (this.block === undefined) this.block = block;
    else if (this.moreBlocks === undefined) this.moreBlocks = [block];
    else this.moreBlocks.push(block);
  }

  /** @internal Takes over a hold on `block`, which holds the whole payload. */
  takeHold(block: Block): void {
    this.block = block;
  }

  /** Copies the payload to `target`, from `start` on, and releases the blocks that held it. */
  moveTo(target: Buffer, start: number): void {
    let at = start;
    for (const part of this.parts) at += part.copy(target, at);
    this.buffer = target;
    this.start = start;
    this.list = undefined;
    this.release();
  }

  /** Releases the blocks of the payload. Further calls have no effect. */
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

  /** The payload in one piece. Copies it if it came in several pieces: not for the hot path. */
  payload(): Buffer {
    const { buffer, start, size, list } = this;
    if (buffer !== undefined) return buffer.subarray(start, start + size);
    const first = list?.[0];
    return list?.length === 1 && first !== undefined ? first : Buffer.concat(list ?? [], size);
  }
}
