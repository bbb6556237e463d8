import type { Clock, Timer } from '../time/clock.js';
import type { Frame } from '../media/frame.js';
import { Transform, type TransformCallback } from '../base/streams.js';
import { MergeRule, type MergeDelays } from './rule.js';
import type { TrackQueue } from './track-queue.js';

/**
 * ms. A frame that is due within this time is written together with one that is due (docs/protocol/behaviour.md,
 * Merging).
 */
const SLACK = 50;

/** The number of encoded batches that may wait between the merger and a slow socket. Further frames wait unencoded. */
const BATCHES_AHEAD = 2;

/** The input of the merger: frames of one track, from one read. */
export interface MergeInput<Q extends TrackQueue> {
  readonly queue: Q;
  readonly frames: readonly Frame[];
}

/**
 * The destination of the merger's frames: the encoder of the current RTMP connection. `B` is the type of the batches
 * that the merger's readable side emits.
 */
export interface FrameSink<Q extends TrackQueue, B> {
  /** Encodes the frame that was taken off `queue`. */
  frame(queue: Q, frame: Frame, now: number): void;
  /** Called when the last frame of a queue that has ended was written. */
  drained(queue: Q): void;
  /** Bytes encoded since the last {@link take}. */
  readonly gathered: number;
  /** Returns what was encoded since the last call. */
  take(): B;
}

export interface MergerOptions<Q extends TrackQueue, B> extends MergeDelays {
  readonly clock: Clock;
  readonly sink: FrameSink<Q, B>;
  /** Bytes after which the encoded batch is pushed. */
  readonly bufferSize: number;
  /**
   * Bytes that are enough for a push once everything due is written, because waiting for more costs more than it saves;
   * default `bufferSize`.
   */
  readonly enough?: number;
  /** The most bytes pushed in one batch if more than a buffer is due at once; default `bufferSize`. */
  readonly most?: number;
  /** ms after which a smaller batch is pushed, too; 0: at once. */
  readonly flushTimeout: number;
}

/**
 * Merges the tracks of an upstream. It accepts frames at once and keeps them in queues of its own. In the stream's own
 * FIFO, the frame that is needed next could be behind one that has to wait. It pushes encoded batches as the {@link
 * MergeRule} decides. When `push()` returns false, it stops writing; frames then wait in their queues, where the ledger
 * counts them.
 */
export class Merger<Q extends TrackQueue, B> extends Transform {
  private readonly rule: MergeRule;
  private readonly clock: Clock;
  private readonly sink: FrameSink<Q, B>;
  private readonly most: number;
  private readonly enough: number;
  private readonly flushTimeout: number;
  private readonly earlyRelease: boolean;
  private wanted = true;
  private held = false;
  private timer: Timer | undefined;
  private timerAt = Infinity;
  private flushAt = Infinity;
  private processing = false;
  /** The callback of `_flush`, called when all is written after the writable side has ended. */
  private ending: TransformCallback | undefined;

  constructor(options: MergerOptions<Q, B>) {
    super({ objectMode: true, readableHighWaterMark: BATCHES_AHEAD, writableHighWaterMark: 16 });
    this.rule = new MergeRule(options);
    this.clock = options.clock;
    this.sink = options.sink;
    this.most = options.most ?? options.bufferSize;
    this.enough = options.enough ?? options.bufferSize;
    this.flushTimeout = options.flushTimeout;
    this.earlyRelease = options.earlyRelease;
  }

  /** Adds a track. */
  add(queue: Q): void {
    this.rule.add(queue, this.clock.now());
  }

  /** Removes a track. The caller must account for the frames in its queue. */
  remove(queue: Q): void {
    this.rule.remove(queue);
    this.process();
  }

  /** While held, no frame is written, because there is no connection to write to. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.process();
  }

  /**
   * From now on, frames do not wait for their time: queued frames are written in order, as fast as the reader takes
   * them.
   */
  hurry(): void {
    this.rule.hurry = true;
    this.process();
  }

  /** Call it when the next frame may be another one: a track became ready or ended, or a head was replaced. */
  changed(queue?: Q): void {
    if (queue !== undefined && queue.length > 0) this.rule.newHead(queue);
    this.process();
  }

  /**
   * Writes the frames that were due by `until`, in the order in which they became due, as if they had been written
   * then. It is for a merger whose tracks were not ready until now. Neither {@link hold} nor a full buffer stops it,
   * because no later frame may overtake these.
   *
   * @param until monotonic ms, in the past
   */
  catchUp(until: number): void {
    if (this.processing || this.destroyed) return;
    this.processing = true;
    let at = -Infinity;
    while (at <= until && this.writeDue(at, true)) {
      this.rule.next(at, 0);
      // A step of at least 1 ms, so that rounding cannot stop the loop from advancing.
      at = Math.max(this.rule.wakeAt, at + 1);
    }
    this.processing = false;
  }

  /** Pushes the encoded batch, even if it is not full. */
  flush(): void {
    if (this.sink.gathered > 0 && !this.readableEnded && !this.destroyed) {
      this.flushAt = Infinity;
      if (!this.push(this.sink.take())) this.wanted = false;
    }
  }

  /**
   * Puts frames into their queue, as {@link Merger.write} does, but without a write to the stream. Returns true if the
   * queue has a new head.
   */
  enqueue(queue: Q, frames: readonly Frame[]): boolean {
    const empty = queue.length === 0;
    const first = frames[0];
    if (first !== undefined) queue.lag.record(this.clock.now(), first.ms, (frames.at(-1) ?? first).ms);
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i];
      if (frame === undefined) continue;
      queue.push(frame);
      if (queue.length === 1) this.rule.newHead(queue);
    }
    return empty && queue.length > 0;
  }

  override _transform(input: MergeInput<Q>, _encoding: BufferEncoding, callback: TransformCallback): void {
    const heads = this.enqueue(input.queue, input.frames);
    // The callback comes before the writing, because the stream would delay the callback after a push during
    // _transform.
    callback();
    // A frame behind a waiting head changes nothing, unless the head waits for this frame.
    if (heads || this.earlyRelease) this.process();
  }

  /** No earlier frame can come any more, so queued frames are written at once, as fast as the reader takes them. */
  override _flush(callback: TransformCallback): void {
    this.ending = callback;
    this.hurry();
  }

  override _read(size: number): void {
    this.wanted = true;
    super._read(size);
    this.process();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.timer?.cancel();
    this.timer = undefined;
    callback(error);
  }

  /** Writes all that is due, and sets the timer for what comes next. */
  process(): void {
    if (this.processing || this.destroyed) return;
    this.processing = true;
    const now = this.clock.now();
    const alive = this.writeDue(now);
    this.processing = false;
    if (!alive) return;
    if (this.ending !== undefined && this.rule.next(now, 0) === undefined) {
      this.finish(this.ending);
      return;
    }
    this.flushDue(now);
    this.schedule(now);
  }

  private finish(callback: TransformCallback): void {
    this.ending = undefined;
    this.timer?.cancel();
    this.timer = undefined;
    if (this.sink.gathered > 0) this.push(this.sink.take());
    callback();
  }

  /** Returns false if writing a frame has destroyed the merger. */
  private writeDue(now: number, always = false): boolean {
    const { rule, sink, most } = this;
    let slack = 0;
    while (always || (this.wanted && !this.held)) {
      const queue = rule.next(now, slack) as Q | undefined;
      if (queue === undefined) break;
      if (rule.readBefore(queue)) {
        if (this.destroyed) return false;
        continue;
      }
      const frame = queue.shift();
      if (frame === undefined) break;
      queue.started = true;
      if (queue.length > 0) rule.newHead(queue);
      slack = SLACK;
      sink.frame(queue, frame, now);
      if (this.destroyed) return false;
      if (queue.ended && queue.length === 0) sink.drained(queue);
      if (sink.gathered >= most) this.flush();
    }
    return !this.destroyed;
  }

  private flushDue(now: number): void {
    if (this.sink.gathered === 0) {
      this.flushAt = Infinity;
      return;
    }
    if (this.flushAt === Infinity) this.flushAt = now + this.flushTimeout;
    if (this.wanted && (now >= this.flushAt || this.sink.gathered >= this.enough)) this.flush();
  }

  private schedule(now: number): void {
    // Without a reader or a connection, a timer would be useless: _read and hold() start the writing again.
    const mergeAt = this.wanted && !this.held ? this.rule.wakeAt : Infinity;
    const at = Math.min(mergeAt, this.wanted ? this.flushAt : Infinity);
    if (at === Infinity || this.writableEnded) return;
    if (this.timer !== undefined) {
      if (this.timerAt <= at) return;
      this.timer.cancel();
    }
    this.timerAt = at;
    this.timer = this.clock.after(at - now, () => {
      this.timer = undefined;
      this.timerAt = Infinity;
      this.process();
    });
  }
}
