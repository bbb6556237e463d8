import type { QueueGroup, TrackQueue } from './track-queue.js';

/** ms that the next flush of a track may be later than all before it: timers and reads are not exact. */
const MARGIN = 50;

export interface MergeDelays {
  /** ms that a frame waits at least, so that an earlier frame of another track can still arrive. */
  readonly minDelay: number;
  /** ms after which a head is written even if another head has a lower time. */
  readonly maxDelay: number;
  /** Write a frame before `minDelay` as soon as no earlier one of its stream can arrive. */
  readonly earlyRelease: boolean;
}

/**
 * Decides which frame is next, and when (docs/protocol/behaviour.md, Merging): the head with the lowest dts, once it has
 * waited `minDelay`; else a head that has waited `maxDelay`, the oldest first. The second part ends the starvation of a
 * track when the times of all tracks jump back and one of them reaches the jump first.
 *
 * Senders that flush once a second, each track by itself, need more (docs/protocol/behaviour.md, Flushed tracks): see
 * {@link waitsForOthers}.
 */
export class MergeRule {
  /** When {@link next} may have another answer although no frame arrives: monotonic ms, or Infinity. */
  wakeAt = Infinity;
  /** True: heads do not wait. They are written in order. */
  immediate = false;
  private readonly queues: TrackQueue[] = [];
  private orders = 0;

  constructor(private readonly delays: MergeDelays) {}

  /** @param now monotonic ms */
  add(queue: TrackQueue, now: number): void {
    queue.joinedAt = now;
    this.queues.push(queue);
  }

  remove(queue: TrackQueue): void {
    const i = this.queues.indexOf(queue);
    if (i >= 0) this.queues.splice(i, 1);
  }

  /** Has to be called when another frame has become the head of `queue`. */
  newHead(queue: TrackQueue): void {
    queue.headOrder = this.orders++;
  }

  /**
   * The track whose head has to be written now. If undefined, `wakeAt` is set.
   *
   * @param now monotonic ms
   * @param slack ms that a head may lack of its `minDelay`: heads that are nearly due are written along with one that
   *   is due
   */
  next(now: number, slack: number): TrackQueue | undefined {
    const { delays } = this;
    this.wakeAt = Infinity;
    /** Streams whose lowest head waits for a frame of another track: they hold up no other stream. */
    let waiting: QueueGroup[] | undefined;
    for (;;) {
      const lowest = this.lowest(now, waiting);
      if (lowest === undefined) break;
      if (this.immediate) return lowest;
      const due = lowest.headArrival + delays.minDelay;
      if (now < due - slack) {
        this.wakeAt = Math.min(this.wakeAt, due);
        break;
      }
      const until = this.waitsForOthers(lowest, now);
      if (now >= until) return lowest;
      this.wakeAt = Math.min(this.wakeAt, until);
      (waiting ??= []).push(lowest.group);
    }
    const oldest = this.oldest(now);
    if (oldest === undefined) return undefined;
    if (now - oldest.headArrival >= delays.maxDelay) return this.firstOfFlushed(oldest, now);
    if (delays.earlyRelease) {
      for (const queue of this.queues) if (this.noEarlierCanCome(queue, now)) return queue;
    }
    this.wakeAt = Math.min(this.wakeAt, oldest.headArrival + delays.maxDelay);
    return undefined;
  }

  /**
   * Reads from sockets that may hold a frame which goes before the head of `queue`. Returns true if one was read:
   * another head may be next.
   */
  readEarlier(queue: TrackQueue): boolean {
    let stale: TrackQueue[] | undefined;
    for (let i = 0; i < this.queues.length; i++) {
      const other = this.queues[i];
      if (other?.source?.unread && other !== queue && other.lastMs < queue.headMs) (stale ??= []).push(other);
    }
    // Reading can remove the track that was read, and even all tracks.
    for (const other of stale ?? []) other.source?.readNow();
    return stale !== undefined;
  }

  private lowest(now: number, waiting: readonly QueueGroup[] | undefined): TrackQueue | undefined {
    const { queues } = this;
    let lowest: TrackQueue | undefined;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i];
      if (queue === undefined || !this.takesPart(queue, now)) continue;
      if (waiting?.includes(queue.group)) continue;
      if (lowest === undefined || isBefore(queue, lowest)) lowest = queue;
    }
    return lowest;
  }

  private oldest(now: number): TrackQueue | undefined {
    const { queues } = this;
    let oldest: TrackQueue | undefined;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i];
      if (queue === undefined || !this.takesPart(queue, now)) continue;
      if (oldest === undefined || queue.headArrival < oldest.headArrival) oldest = queue;
    }
    return oldest;
  }

  private takesPart(queue: TrackQueue, now: number): boolean {
    if (!queue.ready || queue.length === 0) return false;
    // Only in the past: see Merger.catchUp.
    if (queue.headArrival > now) {
      this.wakeAt = Math.min(this.wakeAt, queue.headArrival);
      return false;
    }
    return queue.started || this.immediate || !this.isJoined(queue.group, now);
  }

  /**
   * True if nothing of the stream is written yet, and a track has just joined it: its first frames may be in the very read
   * that its media info was in. They get `minDelay` to arrive.
   */
  private isJoined(group: QueueGroup, now: number): boolean {
    let until = -Infinity;
    for (const queue of group.queues) {
      if (queue.started) return false;
      if (queue.isAwaited) until = Math.max(until, queue.joinedAt + this.delays.minDelay);
    }
    if (now >= until) return false;
    this.wakeAt = Math.min(this.wakeAt, until);
    return true;
  }

  /**
   * Until when the head of `queue`, which has waited `minDelay`, waits for other tracks of its stream; monotonic ms, at most
   * until it has waited `maxDelay`. It waits for
   *
   * - a track that is flushed in intervals, and whose next flush can hold a frame before this one;
   * - the first frame of a track, while nothing of the stream is written, if its own track looks flushed: senders flush all
   *   their tracks.
   */
  private waitsForOthers(queue: TrackQueue, now: number): number {
    const last = queue.headArrival + this.delays.maxDelay;
    let until = -Infinity;
    for (const other of queue.group.queues) {
      if (other === queue || other.length > 0 || other.ended || other.lastMs >= queue.headMs) continue;
      if (other.isAwaited) {
        if (!hasStarted(queue.group) && this.looksFlushed(queue, now)) return last;
      } else if (this.looksFlushed(other, now) && this.hasPauses(queue.group)) {
        until = Math.max(until, queue.headMs + other.lag.max + MARGIN);
      }
    }
    return Math.min(until, last);
  }

  /**
   * What is written when the head of `oldest` has waited `maxDelay`: itself, unless a flushed track of its stream has frames
   * before it. Those have waited at their sender. A frame that is farther before than `maxDelay` is one behind a jump of the
   * timestamps.
   */
  private firstOfFlushed(oldest: TrackQueue, now: number): TrackQueue {
    let first = oldest;
    for (const queue of oldest.group.queues) {
      if (!queue.ready || queue.length === 0 || queue.headArrival > now || !isBefore(queue, first)) continue;
      if (oldest.headMs - queue.headMs <= this.delays.maxDelay && this.looksFlushed(queue, now)) first = queue;
    }
    return first;
  }

  /** True if a track of the stream has been flushed more than once. Senders flush all their tracks in the same way. */
  private hasPauses(group: QueueGroup): boolean {
    for (const { lag } of group.queues) if (lag.hasPauses(this.delays.minDelay)) return true;
    return false;
  }

  /** The minimum delay covers a lag that is narrower than itself; one that is much wider than the maximum cannot be covered. */
  private looksFlushed({ lag }: TrackQueue, now: number): boolean {
    const { minDelay, maxDelay } = this.delays;
    return lag.isWide(now, minDelay, 1.5 * maxDelay);
  }

  /** True if the head of `queue` is the lowest of its stream, and every track of the stream has a frame waiting. */
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

function hasStarted(group: QueueGroup): boolean {
  for (const queue of group.queues) if (queue.started) return true;
  return false;
}

/** Whether the head of `a` is to be written before that of `b`. */
function isBefore(a: TrackQueue, b: TrackQueue): boolean {
  return a.headMs < b.headMs || (a.headMs === b.headMs && a.headOrder < b.headOrder);
}
