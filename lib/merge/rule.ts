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
 * Which frame is next, and when (spec/behaviour.md, The merge): the head with the lowest dts, once it has waited
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
    let lowestMs = 0;
    let lowestArrival = 0;
    let oldest: TrackQueue | undefined;
    let oldestArrival = 0;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i];
      if (queue === undefined || !queue.ready) continue;
      const { head } = queue;
      if (head === undefined) continue;
      if (lowest === undefined || head.ms < lowestMs || (head.ms === lowestMs && queue.headOrder < lowest.headOrder)) {
        lowest = queue;
        lowestMs = head.ms;
        lowestArrival = head.arrivedAt;
      }
      if (oldest === undefined || head.arrivedAt < oldestArrival) {
        oldest = queue;
        oldestArrival = head.arrivedAt;
      }
    }
    if (lowest === undefined || oldest === undefined) {
      this.wakeAt = Infinity;
      return undefined;
    }
    if (this.hurry || now - lowestArrival >= delays.minDelay - slack) return lowest;
    if (now - oldestArrival >= delays.maxDelay) return oldest;
    if (delays.earlyRelease) {
      for (const queue of queues) if (this.noEarlierCanCome(queue)) return queue;
    }
    this.wakeAt = Math.min(lowestArrival + delays.minDelay, oldestArrival + delays.maxDelay);
    return undefined;
  }

  /** True if `queue`'s head is the lowest of its stream and every track of the stream has a frame waiting. */
  private noEarlierCanCome(queue: TrackQueue): boolean {
    const { head } = queue;
    if (!queue.ready || head === undefined) return false;
    for (const other of queue.group.queues) {
      const otherHead = other.head;
      if (otherHead === undefined) {
        if (other.ended) continue;
        return false;
      }
      if (otherHead.ms < head.ms || (otherHead.ms === head.ms && other.headOrder < queue.headOrder)) return false;
    }
    return true;
  }
}
