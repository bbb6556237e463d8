import type { QueueGroup, TrackQueue, TrackSource } from './track-queue.js';

/** ms by which the next flush of a track may be later than all before it, because timers and reads are not exact. */
const MARGIN = 50;

export interface MergeDelays {
  /** ms that a frame waits at least, so that an earlier frame of another track can still arrive. */
  readonly minDelay: number;
  /** ms after which a head is written even if another head has a lower time. */
  readonly maxDelay: number;
  /** Writes a frame before `minDelay` as soon as no earlier frame of its stream can arrive. */
  readonly earlyRelease: boolean;
}

/**
 * Decides which frame is next, and when (docs/protocol/behaviour.md, Merging): the head with the lowest dts, once it
 * has waited `minDelay`. Otherwise a head that has waited `maxDelay`, the oldest first. Without this second part, a
 * track could starve when the times of all tracks jump back and its own frames jump first.
 *
 * Tracks that a sender flushes once a second, each at its own time, need more (docs/protocol/behaviour.md, Flushed
 * tracks): see {@link waitsForOthers}.
 */
export class MergeRule {
  /** Monotonic ms at which {@link next} may return another result although no frame arrives; or Infinity. */
  wakeAt = Infinity;
  /** True: heads do not wait for their time, but are written in order. */
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

  /** Call it when another frame has become the head of `queue`. */
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
    /** Streams whose lowest head waits for a frame of another track. They do not delay other streams. */
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
      if (!this.waitsForOthers(lowest, now)) return lowest;
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

  /** The frames that are due by monotonic ms `now` are about to be written: see {@link TrackQueue.fetch}. */
  fetch(now: number): void {
    const until = now - this.delays.minDelay;
    for (let i = 0; i < this.queues.length; i++) this.queues[i]?.fetch(until);
  }

  /**
   * Reads sockets that may hold a frame that comes before the head of `queue`. Returns true if one was read: then
   * another head may be next.
   */
  readEarlier(queue: TrackQueue): boolean {
    const { queues } = this;
    let hasRead = false;
    for (let i = 0; i < queues.length; i++) {
      const other = queues[i];
      if (!other?.source?.unread || other === queue || other.lastMs >= queue.headMs) continue;
      other.source.readNow();
      hasRead = true;
      // A read can remove its track, or all tracks.
      i = -1;
    }
    return hasRead;
  }

  /** Monotonic ms at which the head of `queue` waits for nothing any more. */
  latestOf(queue: TrackQueue): number {
    return queue.headArrival + this.delays.maxDelay;
  }

  /**
   * The source of another track whose read goes on, and may still bring a frame before the head of `queue`. After
   * `maxDelay`, nothing is waited for.
   */
  incompleteBefore(queue: TrackQueue, now: number): TrackSource | undefined {
    if (now >= this.latestOf(queue)) return undefined;
    for (let i = 0; i < this.queues.length; i++) {
      const other = this.queues[i];
      if (other?.source?.incomplete && other !== queue && other.lastMs < queue.headMs) return other.source;
    }
    return undefined;
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
    // This happens only if `now` is in the past: see Merger.catchUp.
    if (queue.headArrival > now) {
      this.wakeAt = Math.min(this.wakeAt, queue.headArrival);
      return false;
    }
    return queue.started || this.immediate || !this.isJoined(queue.group, now);
  }

  /**
   * True if no frame of the stream is written yet, and a track has just joined it. The first frames of that track may
   * be in the same read as its media info, so they get `minDelay` to arrive.
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
   * Whether the head of `queue`, which has waited `minDelay`, waits for other tracks of its stream. If it does, sets
   * {@link wakeAt}. It never waits longer than `maxDelay`. It waits for
   *
   * - a track that is flushed in intervals, and whose next flush can hold a frame before this one;
   * - the first frame of a track, while no frame of the stream is written, if its own track looks flushed, because
   *   senders flush all their tracks.
   */
  private waitsForOthers(queue: TrackQueue, now: number): boolean {
    const last = queue.headArrival + this.delays.maxDelay;
    let until = -Infinity;
    const { queues } = queue.group;
    for (let i = 0; i < queues.length; i++) {
      const other = queues[i];
      if (other === undefined || other === queue) continue;
      if (other.length > 0 || other.ended || other.lastMs >= queue.headMs) continue;
      if (other.isAwaited) {
        if (!hasStarted(queue.group) && this.looksFlushed(queue, now)) until = last;
      } else if (this.looksFlushed(other, now) && this.hasPauses(queue.group)) {
        until = Math.max(until, queue.headMs + other.lag.max + MARGIN);
      }
    }
    // A number as a result would be an object where the call is not inlined.
    until = Math.min(until, last);
    if (now >= until) return false;
    this.wakeAt = Math.min(this.wakeAt, until);
    return true;
  }

  /**
   * The track to write when the head of `oldest` has waited `maxDelay`: `oldest` itself, unless a flushed track of its
   * stream has earlier frames. Those have waited at their sender. A frame that is earlier by more than `maxDelay` comes
   * after a jump of the timestamps.
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

  /**
   * Compares the lag with the delays: `minDelay` covers a narrower lag, and no delay covers one much wider than
   * `maxDelay`.
   */
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

/** Whether the head of `a` comes before that of `b`. */
function isBefore(a: TrackQueue, b: TrackQueue): boolean {
  return a.headMs < b.headMs || (a.headMs === b.headMs && a.headOrder < b.headOrder);
}
