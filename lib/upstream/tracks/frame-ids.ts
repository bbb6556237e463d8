/** What a new input means for the frames of a track that lives (spec/behaviour.md, Taking over). */
export type Takeover =
  /** It goes on where the last one ended. */
  | { readonly kind: 'continue' }
  /** The first `skip` frames are known already. */
  | { readonly kind: 'repeat'; readonly skip: number }
  /** `lost` frames never came. */
  | { readonly kind: 'gap'; readonly lost: bigint }
  /** Another count begins: nothing can be said of what came before. */
  | { readonly kind: 'restart' };

/** Stands for frames on their way to the kernel with one batch: that of this sequence number, and those behind it. */
export interface UnderWay {
  readonly seq: number;
}

/** Ids are 64 bits on the wire: a sender may begin right below the end of them. */
function u64(id: bigint): bigint {
  return BigInt.asUintN(64, id);
}

/**
 * A track's frame ids over all its inputs. Frames themselves carry a plain sequence number (every `fram` packet counts
 * one); the 64-bit ids that go over the wire are that number plus an offset.
 */
export class FrameIds {
  /** Sequence number of the next frame. */
  next = 0;
  private offset: bigint;
  /** Nothing below this id can be acknowledged: it belongs to a count before. */
  private floor: bigint;
  private readonly underWay = new Set<UnderWay>();
  /** Key frames of this count, from the last one that {@link groupStart} has given. */
  private keys: number[] = [];

  constructor(initialFrameId: bigint) {
    this.offset = initialFrameId;
    this.floor = initialFrameId;
  }

  /** The id of the frame that is expected next. */
  get expected(): bigint {
    return u64(this.offset + BigInt(this.next));
  }

  /** The id of sequence number `seq`, to be sent as "all below are done". */
  idOf(seq: number): bigint {
    const id = this.offset + BigInt(seq);
    return u64(id < this.floor ? this.floor : id);
  }

  /**
   * Frames from `seq` on are on their way, until {@link arrived} is called with what is returned. They may be so on several
   * connections at once, and outlive their track.
   */
  depart(seq: number): UnderWay {
    const frames = { seq };
    this.underWay.add(frames);
    return frames;
  }

  /** They have arrived, or never will. */
  arrived(frames: UnderWay): void {
    this.underWay.delete(frames);
  }

  /** The lowest sequence number on its way; Infinity if there is none. */
  get firstUnderWay(): number {
    let first = Infinity;
    for (const { seq } of this.underWay) if (seq < first) first = seq;
    return first;
  }

  /** Frame `seq` of video is a key frame. To be called in order. */
  addKey(seq: number): void {
    this.keys.push(seq);
  }

  /**
   * The newest key frame at or before `seq`, or `seq` if there is none in this count. Key frames before that are forgotten:
   * `seq` must not go down, except below what was given before.
   */
  groupStart(seq: number): number {
    let found = -1;
    for (let i = 0; i < this.keys.length && (this.keys[i] ?? Infinity) <= seq; i++) found = i;
    if (found > 0) this.keys.splice(0, found);
    return found < 0 ? seq : (this.keys[0] ?? seq);
  }

  /** Another count begins: the next frame is `initialFrameId`. */
  begin(initialFrameId: bigint): void {
    // From here on ids are offset + seq again, with the present sequence number standing for the new first id.
    this.offset = initialFrameId - BigInt(this.next);
    this.floor = initialFrameId;
    this.keys = [];
  }

  /** Decides what a new input with `initialFrameId` is, and sets the count accordingly. */
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
