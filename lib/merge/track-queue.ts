import type { Frame } from '../media/frame.js';
import { ArrivalLag } from './arrival-lag.js';

/** The most frames that {@link TrackQueue.fetch} reads: those of a turn, or more. */
const MOST_FETCHED = 32;

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
  private ring: (Frame | undefined)[] = new Array<Frame | undefined>(16);
  private first = 0;
  private count = 0;

  constructor(readonly group: QueueGroup) {}

  get length(): number {
    return this.count;
  }

  /** True if no frame has ever arrived, and one still can. */
  get isAwaited(): boolean {
    return this.lastMs === -Infinity && !this.ended;
  }

  get head(): Frame | undefined {
    return this.ring[this.first];
  }

  /** The frame at place `i` from the head. */
  at(i: number): Frame | undefined {
    return i < this.count ? this.ring[(this.first + i) & (this.ring.length - 1)] : undefined;
  }

  /**
   * Reads a number of each frame that arrived by monotonic ms `until`, and will be written now. They were queued half a
   * second ago, and are in memory, not in the CPU's cache. Here the CPU fetches several of them at the same time. Later
   * it would wait for each (docs/performance.md).
   */
  fetch(until: number): void {
    const { ring, first } = this;
    const n = Math.min(this.count, MOST_FETCHED);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const frame = ring[(first + i) & (ring.length - 1)];
      if (frame === undefined || frame.arrivedAt > until) break;
      sum += frame.dts;
    }
    this.fetched = sum;
  }

  push(frame: Frame): void {
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.first + this.count) & (this.ring.length - 1)] = frame;
    this.lastMs = frame.ms;
    if (++this.count === 1) this.setHead(frame);
  }

  /** Adds a frame in front of the head. */
  unshift(frame: Frame): void {
    if (this.count === this.ring.length) this.grow();
    this.first = (this.first + this.ring.length - 1) & (this.ring.length - 1);
    this.ring[this.first] = frame;
    this.count++;
    this.setHead(frame);
  }

  shift(): Frame | undefined {
    const frame = this.ring[this.first];
    if (this.count === 0 || frame === undefined) return undefined;
    this.ring[this.first] = undefined;
    this.first = (this.first + 1) & (this.ring.length - 1);
    if (--this.count > 0) this.setHead(this.ring[this.first]);
    return frame;
  }

  /** Removes the frames for which `keep` returns false, and returns them. The others stay in order. */
  removeUnless(keep: (frame: Frame) => boolean): Frame[] {
    const out: Frame[] = [];
    for (let n = this.count; n > 0; n--) {
      const frame = this.shift();
      if (frame === undefined) break;
      if (keep(frame)) this.push(frame);
      else out.push(frame);
    }
    return out;
  }

  private setHead(frame: Frame | undefined): void {
    if (frame === undefined) return;
    this.headMs = frame.ms;
    this.headArrival = frame.arrivedAt;
  }

  private grow(): void {
    const { ring, first, count } = this;
    const wider = new Array<Frame | undefined>(ring.length * 2);
    for (let i = 0; i < count; i++) wider[i] = ring[(first + i) & (ring.length - 1)];
    this.ring = wider;
    this.first = 0;
  }
}
