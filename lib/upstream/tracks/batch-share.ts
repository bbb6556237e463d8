import type { Frame } from '../../media/frame.js';
import type { Block } from '../../media/block.js';
import type { UnderWay } from './frame-ids.js';

/**
 * The part of a batch of encoded frames that belongs to one track. Once the batch is sent, the object can be used for
 * another one. `T` is the type of the track.
 */
export class BatchShare<T> implements UnderWay {
  track: T | undefined;
  /** Sequence numbers of its first and its last frame. */
  seq = 0;
  lastSeq = 0;
  /** Bytes charged for encoding, beside the frames. */
  encoded = 0;
  /** Frames that are not needed once the batch is sent: the first {@link count} of the list. */
  private readonly frames: (Frame | undefined)[] = [];
  private used = 0;
  /** The blocks of frames in numbers: the first {@link blockCount} of the list, each with its number of frames. */
  private readonly blocks: (Block | undefined)[] = [];
  private readonly holds: number[] = [];
  private blockCount = 0;
  /** Bytes that frames in numbers are charged with. */
  charge = 0;

  begin(track: T, seq: number): void {
    this.track = track;
    this.seq = seq;
    this.lastSeq = seq - 1;
    this.encoded = 0;
  }

  get count(): number {
    return this.used;
  }

  frame(i: number): Frame | undefined {
    return this.frames[i];
  }

  /** The frames, in a list of their own. */
  list(): Frame[] {
    return this.frames.filter((frame) => frame !== undefined);
  }

  add(frame: Frame): void {
    this.frames[this.used++] = frame;
  }

  /** Adds a frame in numbers. The share takes over its hold on `block`. */
  addNumbers(block: Block, charge: number): void {
    this.charge += charge;
    const { blocks, holds, blockCount } = this;
    if (blockCount > 0 && blocks[blockCount - 1] === block) {
      holds[blockCount - 1] = (holds[blockCount - 1] ?? 0) + 1;
      return;
    }
    blocks[blockCount] = block;
    holds[blockCount] = 1;
    this.blockCount++;
  }

  /** The frames in numbers are not needed any more, nor their charge. */
  releaseBlocks(): void {
    for (let i = 0; i < this.blockCount; i++) {
      this.blocks[i]?.release(this.holds[i]);
      this.blocks[i] = undefined;
    }
    this.blockCount = 0;
    this.charge = 0;
  }

  clear(): void {
    this.track = undefined;
    for (let i = 0; i < this.used; i++) this.frames[i] = undefined;
    this.used = 0;
  }
}
