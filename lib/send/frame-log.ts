import type { MediaInfo } from '../media/media-info.js';

/** A frame as it goes onto the wire. */
export interface LoggedFrame {
  /** `fram` header. */
  readonly header: Buffer;
  readonly payload: Buffer;
  /** The media info in force; another object than the frame before means that it has to be announced. */
  readonly info: MediaInfo;
  /** Monotonic ms at which the frame was handed in. */
  readonly at: number;
  /** Whether a receiver that knows nothing of the frames before can begin with it. */
  readonly key: boolean;
}

/** Below this many, room in front is not worth closing. */
const COMPACT = 1024;

/**
 * The frames that a sender still holds: those not yet written, those written but not acknowledged, and what is in front of
 * them in their group, in order of their ids, which count from 0.
 */
export class FrameLog {
  private entries: (LoggedFrame | undefined)[] = [];
  private head = 0;
  private firstId = 0;
  private held = 0;
  /** Ids of the key frames that are held, oldest first. */
  private readonly keys: number[] = [];

  /** Id of the oldest frame that is held; of the next one, if none is. */
  get first(): number {
    return this.firstId;
  }

  /** Id that the next frame gets. */
  get end(): number {
    return this.firstId + this.entries.length - this.head;
  }

  /** Bytes of all frames that are held. */
  get bytes(): number {
    return this.held;
  }

  /** Puts a frame at the end. */
  push(frame: LoggedFrame): void {
    if (frame.key) this.keys.push(this.end);
    this.entries.push(frame);
    this.held += sizeOf(frame);
  }

  /** The frame of an id, or undefined if it is not held. */
  get(id: number): LoggedFrame | undefined {
    return id < this.firstId ? undefined : this.entries[this.head + id - this.firstId];
  }

  /** The last key frame at or before `id` that is held; `id` itself if there is none. */
  groupStart(id: number): number {
    return this.keys.findLast((key) => key <= id) ?? id;
  }

  /** Lets go of all frames below `id`; an id past the end empties the log and no more. */
  release(id: number): void {
    const until = Math.min(id, this.end);
    while (this.firstId < until) {
      const frame = this.entries[this.head];
      if (frame !== undefined) this.held -= sizeOf(frame);
      this.entries[this.head++] = undefined;
      this.firstId++;
    }
    const keysGone = this.keys.findIndex((key) => key >= this.firstId);
    this.keys.splice(0, keysGone < 0 ? this.keys.length : keysGone);
    if (this.head > COMPACT && this.head * 2 > this.entries.length) {
      this.entries.splice(0, this.head);
      this.head = 0;
    }
  }
}

function sizeOf(frame: LoggedFrame): number {
  return frame.header.length + frame.payload.length;
}
