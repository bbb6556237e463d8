/** How the frames of a new input relate to those of an existing track (docs/protocol/behaviour.md, Taking over). */
export type Takeover =
  /** They continue where the last input ended. */
  | { readonly kind: 'continue' }
  /** The first `skip` frames are known already. */
  | { readonly kind: 'repeat'; readonly skip: number }
  /** `lost` frames never arrived. */
  | { readonly kind: 'gap'; readonly lost: bigint }
  /** A new count begins, without a relation to earlier frames. */
  | { readonly kind: 'restart' };

/**
 * Represents the frames that one batch takes to the kernel: the frame with this sequence number and all later ones.
 */
export interface UnderWay {
  readonly seq: number;
}

/** Ids have 64 bits on the wire and may wrap: a sender may begin just below the largest id. */
function u64(id: bigint): bigint {
  return BigInt.asUintN(64, id);
}

/**
 * A track's frame ids over all its inputs. Frames carry a plain sequence number (each `fram` packet counts one). The
 * 64-bit id on the wire is that number plus an offset.
 */
export class FrameIds {
  /** Sequence number of the next frame. */
  next = 0;
  private offset: bigint;
  /** Lower ids cannot be acknowledged, because they belong to an earlier count. */
  private floor: bigint;
  private readonly underWay: UnderWay[] = [];
  /** Key frames of this count, from the last result of {@link groupStart} on. */
  private keys: number[] = [];

  constructor(initialFrameId: bigint) {
    this.offset = initialFrameId;
    this.floor = initialFrameId;
  }

  /** The id of the next expected frame. */
  get expected(): bigint {
    return u64(this.offset + BigInt(this.next));
  }

  /** The id of sequence number `seq`, for an ack that covers all lower ids. */
  idOf(seq: number): bigint {
    const id = this.offset + BigInt(seq);
    return u64(id < this.floor ? this.floor : id);
  }

  /**
   * `frames` are being sent, until {@link arrived} is called with the same object. Several connections may send frames
   * at the same time, even after their track has ended.
   */
  depart(frames: UnderWay): void {
    this.underWay.push(frames);
  }

  /** They have arrived, or will never arrive. */
  arrived(frames: UnderWay): void {
    const { underWay } = this;
    const last = underWay.pop();
    if (last === undefined || last === frames) return;
    const i = underWay.indexOf(frames);
    // Their order does not matter.
    if (i >= 0) underWay[i] = last;
    else underWay.push(last);
  }

  /** The lowest sequence number that is being sent; Infinity if there is none. */
  get firstUnderWay(): number {
    let first = Infinity;
    for (let i = 0; i < this.underWay.length; i++) first = Math.min(first, this.underWay[i]?.seq ?? Infinity);
    return first;
  }

  /** Frame `seq` of video is a key frame. Call it in order. */
  addKey(seq: number): void {
    this.keys.push(seq);
  }

  /** The newest key frame that was received in this count; undefined: there is none. */
  get newestKey(): number | undefined {
    return this.keys.at(-1);
  }

  /**
   * The newest key frame at or before `seq`, or `seq` if this count has none. Earlier key frames are forgotten, so a
   * later `seq` must not be lower than the last result.
   */
  groupStart(seq: number): number {
    let found = -1;
    for (let i = 0; i < this.keys.length && (this.keys[i] ?? Infinity) <= seq; i++) found = i;
    if (found > 0) this.keys.splice(0, found);
    return found < 0 ? seq : (this.keys[0] ?? seq);
  }

  /** A new count begins: the next frame has the id `initialFrameId`. */
  begin(initialFrameId: bigint): void {
    // From here on, an id is offset + seq again, so that the present sequence number has the new first id.
    this.offset = initialFrameId - BigInt(this.next);
    this.floor = initialFrameId;
    this.keys = [];
  }

  /** Decides how a new input with `initialFrameId` continues the track, and sets the count accordingly. */
  takeOver(initialFrameId: bigint, maxSkip: number): Takeover {
    const { expected } = this;
    if (initialFrameId === expected) return { kind: 'continue' };
    const behind = expected - initialFrameId;
    if (initialFrameId > 0n && behind > 0n && behind <= BigInt(maxSkip))
      return { kind: 'repeat', skip: Number(behind) };
    this.begin(initialFrameId);
    return behind < 0n && initialFrameId > 0n ? { kind: 'gap', lost: -behind } : { kind: 'restart' };
  }
}
