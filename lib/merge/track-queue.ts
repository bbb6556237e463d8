import type { Frame } from '../media/frame.js';

/** Tracks that are ordered relative to each other: those of one RTMP stream. */
export interface QueueGroup {
  readonly queues: TrackQueue[];
}

/** The source of a track's frames, if it is not read as soon as they arrive. */
export interface TrackSource {
  /** True if a read has been skipped: frames may have arrived that are not in the queue. */
  readonly unread: boolean;
  /**
   * Reads the frames now: they are queued when this returns. After that, `unread` is false, even if there were none.
   */
  readNow(): void;
}

/**
 * A track's frames in order of arrival, waiting to be merged. It is a ring, because shifting a long array is expensive.
 */
export class TrackQueue {
  /** False until the track's stream has written its metadata. Until then, its frames wait. */
  ready = false;
  /** True once no more frames will be pushed. Then other tracks do not wait for this one. */
  ended = false;
  /** A count that shows when the present head became the head. It decides between heads with the same time. */
  headOrder = 0;
  /** The head's time and arrival, ms, stored here because the rule reads them very often. */
  headMs = 0;
  headArrival = 0;
  /** The time of the last pushed frame, ms. */
  lastMs = -Infinity;
  /** Set while reads of the track may be skipped. */
  source: TrackSource | undefined;
  private ring: (Frame | undefined)[] = new Array<Frame | undefined>(16);
  private first = 0;
  private count = 0;

  constructor(readonly group: QueueGroup) {}

  get length(): number {
    return this.count;
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

  /** Removes all frames for which `keep` returns false and returns them. Both parts keep their order. */
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
