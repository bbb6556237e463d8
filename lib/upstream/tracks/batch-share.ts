import type { Frame } from '../../media/frame.js';
import type { UnderWay } from './frame-ids.js';

/** The part of a batch of encoded frames that belongs to one track. */
export interface BatchShare {
  /** Sequence number of its last frame. */
  seq: number;
  /** Bytes charged for encoding, beside the frames. */
  encoded: number;
  /** Frames that are not needed once the batch is sent. */
  readonly frames: Frame[];
  readonly underWay: UnderWay;
}
