import type { Clock, Timer } from '../time/clock.js';
import type { Frame } from '../media/frame.js';
import { Transform, type TransformCallback } from '../base/streams.js';
import { MergeRule, type MergeDelays } from './rule.js';
import type { TrackQueue } from './track-queue.js';

/** A frame this near to its time goes along with one that is due (docs/protocol/behaviour.md, Merging). */
const SLACK = 50;

/** Batches that may lie encoded between the merger and a slow socket; frames beyond them wait as frames. */
const BATCHES_AHEAD = 2;

/** What is written into the merger: frames of one track, as they came with one read. */
export interface MergeInput<Q extends TrackQueue> {
  readonly queue: Q;
  readonly frames: readonly Frame[];
}

/**
 * What the merger writes frames to: the encoder of the RTMP connection of the moment. `B` is what comes out of the
 * merger's readable side.
 */
export interface FrameSink<Q extends TrackQueue, B> {
  /** Encodes the frame that was taken off `queue`. */
  frame(queue: Q, frame: Frame, now: number): void;
  /** Called when the last frame of a queue that has ended was written. */
  drained(queue: Q): void;
  /** Bytes encoded and not yet taken. */
  readonly gathered: number;
  /** What was encoded since the last call. */
  take(): B;
}

export interface MergerOptions<Q extends TrackQueue, B> extends MergeDelays {
  readonly clock: Clock;
  readonly sink: FrameSink<Q, B>;
  /** Bytes after which what was encoded is pushed on. */
  readonly bufferSize: number;
  /** Bytes that are pushed on when all that is due is written, since waiting for more costs more than it saves; default `bufferSize`. */
  readonly enough?: number;
  /** Bytes that are pushed on in one piece where more than a buffer is due at once, rather than in several; default `bufferSize`. */
  readonly most?: number;
  /** ms after which it is pushed on although it is fewer bytes; 0: at once. */
  readonly flushTimeout: number;
}

/**
 * The meeting of an upstream's tracks: takes frames in at once and queues them inside (held back in the stream's own FIFO,
 * the frame that is waited for would stand behind the one that waits), and pushes encoded batches on when the
 * {@link MergeRule} says so. `push()` false stops the writing; the frames then wait in their queues, where the ledger
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
  /** To be called when all is written, once the writable side has ended. */
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

  /** Lets a track take part. */
  add(queue: Q): void {
    this.rule.add(queue);
  }

  /** Takes a track out; its frames are the caller's to account for. */
  remove(queue: Q): void {
    this.rule.remove(queue);
    this.process();
  }

  /** While held, no frame is written (there is no connection to write to). */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.process();
  }

  /** From now on nothing is waited for: what is queued goes out in order, as fast as it is taken. */
  hurry(): void {
    this.rule.hurry = true;
    this.process();
  }

  /** To be called when something outside changed what is next: a track became ready or ended, a head was replaced. */
  changed(queue?: Q): void {
    if (queue !== undefined && queue.length > 0) this.rule.newHead(queue);
    this.process();
  }

  /**
   * Writes what was due by `until`, in the order in which it became due: as if it had been written then. For a merger whose
   * tracks were not ready until now. Neither {@link hold} nor a full buffer stops it: what comes next must not go ahead of
   * these frames.
   *
   * @param until monotonic ms, in the past
   */
  catchUp(until: number): void {
    if (this.processing || this.destroyed) return;
    this.processing = true;
    let at = -Infinity;
    while (at <= until && this.writeDue(at, true)) {
      this.rule.next(at, 0);
      // At least 1 ms, whatever fractions add up to.
      at = Math.max(this.rule.wakeAt, at + 1);
    }
    this.processing = false;
  }

  /** Pushes on what is encoded, full or not. */
  flush(): void {
    if (this.sink.gathered > 0 && !this.readableEnded && !this.destroyed) {
      this.flushAt = Infinity;
      if (!this.push(this.sink.take())) this.wanted = false;
    }
  }

  /** Puts frames into their queue, without a stream's write in between; what {@link Merger.write} does. True: it has a new head. */
  enqueue(queue: Q, frames: readonly Frame[]): boolean {
    const empty = queue.length === 0;
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
    // First the callback, then the writing: a push during _transform would make the stream hold its callback back.
    callback();
    // Behind a head that waits, a frame changes nothing, unless it is what the head waits for.
    if (heads || this.earlyRelease) this.process();
  }

  /** Nothing earlier can come any more: what is queued is written first, as fast as it is taken. */
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

  /** False: a frame led to the end of all this. */
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
    // Without a reader or a connection there is nothing to wake up for: _read and hold() do.
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
