import type { Block } from '../media/block.js';
import type { Frame } from '../media/frame.js';
import { ARRIVED_AT, FrameRing, MS } from '../media/frame-ring.js';
import { ArrivalLag } from './arrival-lag.js';

/** The tracks whose frames are written in a common order: those of one RTMP stream. */
export interface QueueGroup {
  readonly queues: TrackQueue[];
}

/** The socket of a track, if it is not read as soon as bytes arrive. */
export interface TrackSource {
  /** True if a read was skipped: frames may have arrived that are not in the queue. */
  readonly unread: boolean;
  /** Reads and queues them. Afterwards `unread` is false, also if there were none. */
  readNow(): void;
  /** True while a read goes on: frames that have arrived before others may still be on their way to the queue. */
  readonly incomplete?: boolean;
  /** Called once, when that read is complete. */
  onComplete?: (() => void) | undefined;
}

/**
 * The frames of one track in order of arrival, waiting to be merged. A ring buffer, since shifting an array takes
 * longer the longer the array is.
 */
export class TrackQueue {
  /** False while the stream of the track has not written its metadata: until then its frames wait. */
  ready = false;
  /** True once no more frames will be pushed: other tracks do not wait for this one then. */
  ended = false;
  /**
   * Count of heads at the time when the current head became the head. It decides between heads with the same time.
   */
  headOrder = 0;
  /** Time and arrival of the head, ms. Kept here because the merge rule reads them for every decision. */
  headMs = 0;
  headArrival = 0;
  /** Time of the frame that was pushed last, ms. */
  lastMs = -Infinity;
  /** When the track was added to the merger, monotonic ms. */
  joinedAt = 0;
  /** True once a frame of the track has been written. */
  started = false;
  /** How far its frames arrive behind their timestamps. */
  readonly lag = new ArrivalLag();
  /** Set while reads of the track may be skipped. */
  source: TrackSource | undefined;
  /** The sum of what {@link fetch} has read, so that the compiler does not leave the reads out. */
  fetched = NaN;
  /** The frames. Only this class adds and removes them, except those that are added and not committed. */
  readonly ring = new FrameRing();

  constructor(readonly group: QueueGroup) {}

  get length(): number {
    return this.ring.length;
  }

  /** True if no frame has ever arrived, and one still can. */
  get isAwaited(): boolean {
    return this.lastMs === -Infinity && !this.ended;
  }

  /** Not for the hot path: see {@link FrameRing.at}. */
  get head(): Frame | undefined {
    return this.ring.at(0);
  }

  /** Sequence number of the head; undefined: there is none. */
  get headSeq(): number | undefined {
    return this.length > 0 ? this.ring.headSeq : undefined;
  }

  /** The frame at place `i` from the head. Not for the hot path: see {@link FrameRing.at}. */
  at(i: number): Frame | undefined {
    return this.ring.at(i);
  }

  /** The frames that arrived by monotonic ms `until` will be written now: see {@link FrameRing.fetch}. */
  fetch(until: number): void {
    this.fetched = this.ring.fetch(until);
  }

  push(frame: Frame): void {
    this.ring.push(frame);
    this.lastMs = frame.ms;
    if (this.length === 1) this.setHead(frame);
  }

  /** Queues the frames that were added to the {@link ring}. Their payloads are in `block`. */
  commit(block: Block): void {
    const { ring } = this;
    if (ring.pending === 0) return;
    const wasEmpty = ring.length === 0;
    this.lastMs = ring.pendingMs(ring.pending - 1);
    ring.commit(block);
    if (wasEmpty) this.readHead();
  }

  /** Adds a frame in front of the head. */
  unshift(frame: Frame): void {
    this.ring.unshift(frame);
    this.setHead(frame);
  }

  shift(): Frame | undefined {
    const frame = this.ring.shift();
    if (frame !== undefined) this.readHead();
    return frame;
  }

  /** Removes the head, which is in numbers, and sets `frame` to it. The caller takes over the hold on `block`. */
  takeHead(frame: Frame, block: Block): void {
    this.ring.takeHead(frame, block);
    this.readHead();
  }

  /** Removes the frames for which `keep` returns false, and returns them. The others stay in order. */
  removeUnless(keep: (frame: Frame) => boolean): Frame[] {
    const out: Frame[] = [];
    for (let n = this.length; n > 0; n--) {
      const frame = this.shift();
      if (frame === undefined) break;
      if (keep(frame)) this.push(frame);
      else out.push(frame);
    }
    return out;
  }

  private readHead(): void {
    const { ring } = this;
    if (ring.length === 0) return;
    if (ring.headBlock === undefined) {
      this.setHead(ring.at(0));
      return;
    }
    this.headMs = ring.headTime(MS);
    this.headArrival = ring.headTime(ARRIVED_AT);
  }

  private setHead(frame: Frame | undefined): void {
    if (frame === undefined) return;
    this.headMs = frame.ms;
    this.headArrival = frame.arrivedAt;
  }
}
