import type { TrackQueue } from './track-queue.js';

export interface MergeDelays {
  /** ms that a frame waits at least, so that an earlier one of another track can still come. */
  readonly minDelay: number;
  /** ms after which a head is written even if another head has the lower time. */
  readonly maxDelay: number;
  /** Let a frame go before `minDelay` as soon as no earlier one of its stream can come. */
  readonly earlyRelease: boolean;
}

/**
 * Which frame is next, and when (docs/protocol/behaviour.md, Merging): the head with the lowest dts, once it has waited
 * `minDelay`; else a head that has waited `maxDelay`, oldest first. The second part is what ends the starvation of a track
 * when the times of all tracks jump back and one of them gets to the jump first.
 */
export class MergeRule {
  /** When {@link next} may have another answer although no frame comes: monotonic ms, or Infinity. */
  wakeAt = Infinity;
  /** Set when nothing more is waited for: heads are ripe at once, still in order. */
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

  /** To be called when another frame has become the head of `queue`. */
  newHead(queue: TrackQueue): void {
    queue.headOrder = this.orders++;
  }

  /**
   * The track whose head is to be written now, or undefined; then `wakeAt` is set.
   *
   * @param now monotonic ms
   * @param slack ms that a frame may lack of its `minDelay`: what is nearly ripe goes along with what is
   */
  next(now: number, slack: number): TrackQueue | undefined {
    const { queues, delays } = this;
    let lowest: TrackQueue | undefined;
    let oldest: TrackQueue | undefined;
    let arrival = Infinity;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i];
      if (queue === undefined || !queue.ready || queue.length === 0) continue;
      // Only in the past: see Merger.catchUp.
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
   * Reads what may hold a frame that is to be written before the head of `queue`, and was not read yet. True if something was
   * read: another head may be next.
   */
  readBefore(queue: TrackQueue): boolean {
    let stale: TrackQueue[] | undefined;
    for (let i = 0; i < this.queues.length; i++) {
      const other = this.queues[i];
      if (other?.source?.unread && other !== queue && other.lastMs < queue.headMs) (stale ??= []).push(other);
    }
    // The track of one that is read may leave on that, or even all of them.
    for (const other of stale ?? []) other.source?.readNow();
    return stale !== undefined;
  }

  /** True if `queue`'s head is the lowest of its stream and every track of the stream has a frame waiting. */
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

/** Whether the head of `a` is to be written before that of `b`. */
function isBefore(a: TrackQueue, b: TrackQueue): boolean {
  return a.headMs < b.headMs || (a.headMs === b.headMs && a.headOrder < b.headOrder);
}
