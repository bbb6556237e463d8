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
}

/** Below this many, room in front is not worth closing. */
const COMPACT = 1024;

/**
 * The frames that a sender still holds: those not yet written, and those written but not acknowledged, in order of their
 * ids, which count from 0.
 */
export class FrameLog {
  private entries: (LoggedFrame | undefined)[] = [];
  private head = 0;
  private firstId = 0;
  private held = 0;

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
    this.entries.push(frame);
    this.held += sizeOf(frame);
  }

  /** The frame of an id, or undefined if it is not held. */
  get(id: number): LoggedFrame | undefined {
    return id < this.firstId ? undefined : this.entries[this.head + id - this.firstId];
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
    if (this.head > COMPACT && this.head * 2 > this.entries.length) {
      this.entries.splice(0, this.head);
      this.head = 0;
    }
  }
}

function sizeOf(frame: LoggedFrame): number {
  return frame.header.length + frame.payload.length;
}
