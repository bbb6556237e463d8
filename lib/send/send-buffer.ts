import { heldBytes } from '../media/held-bytes.js';
import type { MediaInfo } from '../media/media-info.js';

/** A frame as it is written to the connection. */
export interface BufferedFrame {
  /** `fram` header. */
  readonly header: Buffer;
  readonly payload: Buffer;
  /** The media info of the frame. If it is another object than that of the frame before, it has to be announced. */
  readonly info: MediaInfo;
  /** Monotonic ms at which the frame was added. */
  readonly at: number;
  /** Whether a receiver can start decoding with this frame. */
  readonly key: boolean;
}

/** Released entries at the front of the array from which on the array is compacted. */
const COMPACT = 1024;

/**
 * The frames that a sender keeps: those that are not written, those that are not acknowledged, and the frames before
 * them in their group of pictures. Ids count from 0.
 */
export class SendBuffer {
  private entries: (BufferedFrame | undefined)[] = [];
  private head = 0;
  private firstId = 0;
  private byteCount = 0;
  /** Ids of the key frames in the buffer, oldest first. */
  private readonly keys: number[] = [];

  /** Id of the oldest frame in the buffer; if it is empty, of the next one. */
  get first(): number {
    return this.firstId;
  }

  /** Id that the next frame gets. */
  get end(): number {
    return this.firstId + this.entries.length - this.head;
  }

  /** Bytes that all frames in the buffer take. */
  get bytes(): number {
    return this.byteCount;
  }

  /** Puts a frame at the end. */
  push(frame: BufferedFrame): void {
    if (frame.key) this.keys.push(this.end);
    this.entries.push(frame);
    this.byteCount += sizeOf(frame);
  }

  /** The frame with this id; undefined if it is not in the buffer. */
  get(id: number): BufferedFrame | undefined {
    return id < this.firstId ? undefined : this.entries[this.head + id - this.firstId];
  }

  /** Id of the last key frame at or before `id` in the buffer; `id` itself if there is none. */
  groupStart(id: number): number {
    // Each frame that is written and each acknowledgement asks, and each audio frame is a key frame. To search all of
    // them would cost more with each frame of the backlog.
    let [low, high] = [0, this.keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.keys[middle] ?? 0) <= id) low = middle + 1;
      else high = middle;
    }
    return this.keys[low - 1] ?? id;
  }

  /** Removes all frames below `id`. An id past the end only empties the buffer. */
  release(id: number): void {
    const until = Math.min(id, this.end);
    while (this.firstId < until) {
      const frame = this.entries[this.head];
      if (frame !== undefined) this.byteCount -= sizeOf(frame);
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

function sizeOf(frame: BufferedFrame): number {
  return frame.header.length + heldBytes({ data: frame.payload });
}
