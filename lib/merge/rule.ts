import type { TrackQueue } from './track-queue.js';

export interface MergeDelays {
  /** The least time that a frame waits, ms, so that an earlier frame of another track can still come. */
  readonly minDelay: number;
  /** ms after which a head is written even if another head has the lower time. */
  readonly maxDelay: number;
  /** Releases a frame before `minDelay` as soon as no earlier frame of its stream can come. */
  readonly earlyRelease: boolean;
}

/**
 * Decides which frame is next, and when (docs/protocol/behaviour.md, Merging): the head with the lowest dts, once it
 * has waited `minDelay`. Otherwise a head that has waited `maxDelay`, the oldest first. Without this second part, a
 * track could starve when the times of all tracks jump back and its own frames jump first.
 */
export class MergeRule {
  /** Monotonic ms at which {@link next} may return another result although no frame comes; or Infinity. */
  wakeAt = Infinity;
  /** If set, heads do not wait for their time, but keep their order. */
  hurry = false;
  private readonly queues: TrackQueue[] = [];
  private orders = 0;

  constructor(private readonly delays: MergeDelays) {}

  add(queue: TrackQueue): void {
    this.queues.push(queue);
  }

  remove(queue: TrackQueue): void {
    const i = this.queues.indexOf(queue);
    if (i >= 0) this.queues.splice(i, 1);
  }

  /** Call it when another frame has become the head of `queue`. */
  newHead(queue: TrackQueue): void {
    queue.headOrder = this.orders++;
  }

  /**
   * The track whose head must be written now. If there is none, it returns undefined and sets `wakeAt`.
   *
   * @param now monotonic ms
   * @param slack ms before its `minDelay` at which a frame may already be written together with one that is due
   */
  next(now: number, slack: number): TrackQueue | undefined {
    const { queues, delays } = this;
    let lowest: TrackQueue | undefined;
    let oldest: TrackQueue | undefined;
    let arrival = Infinity;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i];
      if (queue === undefined || !queue.ready || queue.length === 0) continue;
      // This happens only if `now` is in the past: see Merger.catchUp.
      if (queue.headArrival > now) {
        arrival = Math.min(arrival, queue.headArrival);
        continue;
      }
      if (lowest === undefined || isBefore(queue, lowest)) lowest = queue;
      if (oldest === undefined || queue.headArrival < oldest.headArrival) oldest = queue;
    }
    if (lowest === undefined || oldest === undefined) {
      this.wakeAt = arrival;
      return undefined;
    }
    if (this.hurry || now - lowest.headArrival >= delays.minDelay - slack) return lowest;
    if (now - oldest.headArrival >= delays.maxDelay) return oldest;
    if (delays.earlyRelease) {
      for (const queue of queues) if (this.noEarlierCanCome(queue, now)) return queue;
    }
    this.wakeAt = Math.min(lowest.headArrival + delays.minDelay, oldest.headArrival + delays.maxDelay, arrival);
    return undefined;
  }

  /**
   * Reads the sources that may hold an unread frame that comes before the head of `queue`. Returns true if something
   * was read: then another head may be next.
   */
  readBefore(queue: TrackQueue): boolean {
    let stale: TrackQueue[] | undefined;
    for (let i = 0; i < this.queues.length; i++) {
      const other = this.queues[i];
      if (other?.source?.unread && other !== queue && other.lastMs < queue.headMs) (stale ??= []).push(other);
    }
    // Collected first, because a read may remove its track, or all tracks, from `queues`.
    for (const other of stale ?? []) other.source?.readNow();
    return stale !== undefined;
  }

  /** True if the head of `queue` is the lowest of its stream and every track of the stream has a waiting frame. */
  private noEarlierCanCome(queue: TrackQueue, now: number): boolean {
    if (!queue.ready || queue.length === 0 || queue.headArrival > now) return false;
    for (const other of queue.group.queues) {
      if (other.length === 0 || other.headArrival > now) {
        if (other.ended) continue;
        return false;
      }
      if (isBefore(other, queue)) return false;
    }
    return true;
  }
}

/** Whether the head of `a` comes before that of `b`. */
function isBefore(a: TrackQueue, b: TrackQueue): boolean {
  return a.headMs < b.headMs || (a.headMs === b.headMs && a.headOrder < b.headOrder);
}
