import type { Frame } from '../media/frame.js';
import { ArrivalLag } from './arrival-lag.js';

/** The tracks whose order depends on each other: those of one RTMP stream. */
export interface QueueGroup {
  readonly queues: TrackQueue[];
}

/** Where a track's frames come from, if that is not read the moment they come. */
export interface TrackSource {
  /** True if a read has been left out: there may be frames that have come and are not in the queue. */
  readonly unread: boolean;
  /** Reads them now: they are queued when this returns. `unread` is false then, whether or not there were any. */
  readNow(): void;
}

/**
 * A track's frames in order of arrival, waiting to be merged: a ring, since shifting an array costs more the longer it is.
 */
export class TrackQueue {
  /** False while the track's stream has not written its metadata: then its frames wait. */
  ready = false;
  /** True once nothing more will be pushed: nobody waits for this track then. */
  ended = false;
  /** When the present head became the head, as a count; decides between heads of the same time. */
  headOrder = 0;
  /** The head's time and arrival, ms, kept here: the rule asks for them again and again. */
  headMs = 0;
  headArrival = 0;
  /** The time of the frame that was pushed last, ms. */
  lastMs = -Infinity;
  /** When the track was added to the merger, monotonic ms. */
  joinedAt = 0;
  /** True once a frame of the track has been written. */
  started = false;
  /** How far its frames arrive behind their timestamps. */
  readonly lag = new ArrivalLag();
  /** Set while reads of the track may be left out. */
  source: TrackSource | undefined;
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

  /** The `i`th frame from the head. */
  at(i: number): Frame | undefined {
    return i < this.count ? this.ring[(this.first + i) & (this.ring.length - 1)] : undefined;
  }

  push(frame: Frame): void {
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.first + this.count) & (this.ring.length - 1)] = frame;
    this.lastMs = frame.ms;
    if (++this.count === 1) this.setHead(frame);
  }

  /** Puts a frame in front of the head. */
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

  /** Takes out all frames for which `keep` says no, keeping order; returns those. */
  filter(keep: (frame: Frame) => boolean): Frame[] {
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
