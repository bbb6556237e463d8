import type { Frame } from '../../media/frame.js';
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

  clear(): void {
    this.track = undefined;
    for (let i = 0; i < this.used; i++) this.frames[i] = undefined;
    this.used = 0;
  }
}
