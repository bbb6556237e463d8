import type { Block } from '../media/block.js';
import type { Clock, Timer } from '../time/clock.js';
import { SLATE_FRAME, type Frame } from '../media/frame.js';
import { Transform, type TransformCallback } from '../base/streams.js';
import { MergeRule, type MergeDelays } from './rule.js';
import type { TrackQueue } from './track-queue.js';

/**
 * A frame that lacks at most this many ms of its minimum delay is written along with one that is due
 * (docs/protocol/behaviour.md, Merging).
 */
const EARLY_TOLERANCE = 50;

/**
 * Encoded batches that may wait between the merger and a slow socket. Further frames wait in their queues, not
 * encoded.
 */
const BATCHES_AHEAD = 2;

/** The input of the merger: frames of one track, as one read has brought them. */
export interface MergeInput<Q extends TrackQueue> {
  readonly queue: Q;
  readonly frames: readonly Frame[];
}

/**
 * Encodes the frames that the merger writes: the encoder of the current RTMP connection. `B` is the type of a batch,
 * which the readable side of the merger delivers.
 */
export interface FrameSink<Q extends TrackQueue, B> {
  /**
   * Takes the head of `queue` off it, and encodes it, if it is in numbers and nothing has to look at it. Returns false
   * if it has to become an object first. Default: each frame has to.
   */
  head?(queue: Q, now: number): boolean;
  /** Encodes the frame that was taken off `queue`. */
  frame(queue: Q, frame: Frame, now: number): void;
  /** Called after the last frame of an ended queue was written. */
  drained(queue: Q): void;
  /** Bytes that are encoded and not taken yet. */
  readonly encodedBytes: number;
  /** Takes what was encoded since the last call. */
  take(): B;
}

export interface MergerOptions<Q extends TrackQueue, B> extends MergeDelays {
  readonly clock: Clock;
  readonly sink: FrameSink<Q, B>;
  /** Bytes of a full batch: encoded frames are pushed once there are so many. */
  readonly bufferSize: number;
  /**
   * Bytes that are pushed when no further frame is due; default `bufferSize`. Waiting for a full batch would cost
   * more than it saves.
   */
  readonly flushSize?: number;
  /** Bytes of the largest batch, if more than a full one is due at once; default `bufferSize`. */
  readonly maxBatchSize?: number;
  /** ms after which encoded frames are pushed although the batch is not full; 0: at once. */
  readonly flushTimeout: number;
  /**
   * Sends what the sink has encoded at once, past all queues, which are empty. Returns false if nothing was sent: then
   * the sink's next batch takes the usual way. Default: all bytes do.
   */
  readonly sendNow?: () => boolean;
  /**
   * Writes a batch to the next stage without the queue of the merger, which is empty. Returns false if that stage has
   * batches in its own queue, or is not ready: then the batch is pushed. Default: all batches are pushed.
   */
  readonly writeNow?: (batch: B) => boolean;
}

/**
 * Merges the tracks of an upstream. It accepts frames at once and queues them per track: if the stream held them back
 * in its own FIFO, the frame that is waited for would be stuck behind the frame that waits. It pushes encoded batches
 * when the {@link MergeRule} allows. When `push()` returns false, it stops encoding, and the frames wait in their
 * queues, where the memory account counts them.
 */
export class Merger<Q extends TrackQueue, B> extends Transform {
  private readonly rule: MergeRule;
  private readonly clock: Clock;
  private readonly sink: FrameSink<Q, B>;
  private readonly bufferSize: number;
  private readonly maxBatchSize: number;
  private readonly flushSize: number;
  private readonly flushTimeout: number;
  private readonly earlyRelease: boolean;
  private downstreamReady = true;
  private held = false;
  /** Bytes that may be encoded before the next call of {@link allow}. */
  private allowance = Infinity;
  private timer: Timer | undefined;
  private timerAt = Infinity;
  private flushAt = Infinity;
  private processing = false;
  /**
   * True if nothing was in the stream when {@link isIdle} looked last, and nothing has entered it since. Each look
   * reads two objects of the stream that are not in the CPU's cache.
   */
  private quiet = false;
  /** `destroyed`, as a field: a stream computes that, and each frame asks for it. */
  private isOver = false;
  private readonly processAgain = (): void => this.process();
  private readonly onTimer = (): void => {
    this.timer = undefined;
    this.timerAt = Infinity;
    this.process();
  };
  /** Callback of `_flush`; called when everything is written. */
  private flushCallback: TransformCallback | undefined;

  constructor(private readonly options: MergerOptions<Q, B>) {
    super({ objectMode: true, readableHighWaterMark: BATCHES_AHEAD, writableHighWaterMark: 16 });
    this.rule = new MergeRule(options);
    this.clock = options.clock;
    this.sink = options.sink;
    this.bufferSize = options.bufferSize;
    this.maxBatchSize = options.maxBatchSize ?? options.bufferSize;
    this.flushSize = options.flushSize ?? options.bufferSize;
    this.flushTimeout = options.flushTimeout;
    this.earlyRelease = options.earlyRelease;
  }

  /** Adds a track. */
  add(queue: Q): void {
    this.rule.add(queue, this.clock.now());
  }

  /** Removes a track. The caller accounts for its frames. */
  remove(queue: Q): void {
    this.rule.remove(queue);
    this.process();
  }

  /** While held, no frame is written: there is no connection to write to. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.process();
  }

  /**
   * From now on, about `bytes` may be encoded; Infinity: no limit. Frames beyond that wait in their queues. This is for
   * a server that is slow: what is encoded cannot be dropped any more.
   */
  allow(bytes: number): void {
    const more = bytes > 0 && bytes !== this.allowance;
    this.allowance = bytes;
    if (more) this.process();
  }

  /** From now on, frames do not wait: those queued are written in order, as fast as the output accepts them. */
  stopWaiting(): void {
    this.rule.immediate = true;
    this.process();
  }

  /** Call it when the next frame may be another one: a track became ready or ended, or a head was replaced. */
  changed(queue?: Q): void {
    if (queue !== undefined && queue.length > 0) this.rule.newHead(queue);
    this.process();
  }

  /**
   * Writes the frames that were due by `until`, in the order in which they became due, as if they had been written
   * then. It is for a merger whose tracks have just become ready. Neither {@link hold} nor a full buffer stops it,
   * because later frames must not go ahead of these.
   *
   * @param until monotonic ms, in the past
   */
  catchUp(until: number): void {
    if (this.processing || this.isOver) return;
    this.processing = true;
    let at = -Infinity;
    while (at <= until && this.writeDue(at, true)) {
      this.rule.next(at, 0);
      // A step of at least 1 ms, so that rounding cannot stop the loop from advancing.
      at = Math.max(this.rule.wakeAt, at + 1);
    }
    this.processing = false;
  }

  /** Pushes what is encoded, even if the batch is not full. */
  flush(): void {
    if (this.sink.encodedBytes > 0 && !this.readableEnded && !this.destroyed) {
      this.flushAt = Infinity;
      this.allowance = Math.max(0, this.allowance - this.sink.encodedBytes);
      if (this.readableLength === 0 && this.options.sendNow?.() === true) return;
      const batch = this.sink.take();
      const isTaken = this.readableLength === 0 && this.options.writeNow?.(batch) === true;
      if (!isTaken && !this.push(batch)) this.downstreamReady = false;
    }
  }

  /**
   * Queues frames without a write to the stream; the same effect as {@link Merger.write}. Returns true if the queue
   * has a new head.
   */
  enqueue(queue: Q, frames: readonly Frame[]): boolean {
    const empty = queue.length === 0;
    const first = frames[0];
    if (first !== undefined && first.sentAt !== SLATE_FRAME)
      queue.lag.record(this.clock.now(), first.ms, (frames.at(-1) ?? first).ms);
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i];
      if (frame === undefined) continue;
      queue.push(frame);
      if (queue.length === 1) this.rule.newHead(queue);
    }
    return empty && queue.length > 0;
  }

  /** The same as `write({ queue, frames })`, without the queue of the stream if that is empty. */
  accept(queue: Q, frames: readonly Frame[]): void {
    if (!this.isIdle) {
      this.write({ queue, frames });
      return;
    }
    const heads = this.enqueue(queue, frames);
    // A frame behind a waiting head changes nothing, unless the head waits for it.
    if (heads || this.earlyRelease) this.process();
  }

  /** True if nothing waits in the stream: then {@link acceptPending} may be called. */
  get isIdle(): boolean {
    this.quiet ||= this.writableLength === 0 && !this.writableEnded && !this.destroyed;
    return this.quiet;
  }

  /** Queues the frames that were added to the ring of `queue`, and whose payloads are in `block`. */
  acceptPending(queue: Q, block: Block): void {
    const empty = queue.length === 0;
    queue.lag.record(this.clock.now(), queue.ring.pendingMs(0), queue.ring.pendingMs(queue.ring.pending - 1));
    queue.commit(block);
    if (empty && queue.length > 0) this.rule.newHead(queue);
    if (empty || this.earlyRelease) this.process();
  }

  override _transform(input: MergeInput<Q>, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.quiet = false;
    const heads = this.enqueue(input.queue, input.frames);
    // The callback comes first: with a push during _transform, the stream would delay its callback.
    callback();
    if (heads || this.earlyRelease) this.process();
  }

  /** The input has ended: no earlier frame can arrive, so queued frames are written at once. */
  override _flush(callback: TransformCallback): void {
    this.quiet = false;
    this.flushCallback = callback;
    this.allowance = Infinity;
    this.stopWaiting();
  }

  override _read(size: number): void {
    this.downstreamReady = true;
    super._read(size);
    this.process();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.isOver = true;
    this.quiet = false;
    this.timer?.cancel();
    this.timer = undefined;
    callback(error);
  }

  /** Writes all frames that are due, and sets the timer for the next one. */
  process(): void {
    if (this.processing || this.isOver) return;
    this.processing = true;
    // Frames are due at whole ms. V8 passes a fraction as a new object, for each frame.
    const now = Math.floor(this.clock.now());
    if (this.mayEncode) this.rule.fetch(now + EARLY_TOLERANCE);
    const alive = this.writeDue(now);
    this.processing = false;
    if (!alive) return;
    if (this.flushCallback !== undefined && this.rule.next(now, 0) === undefined) {
      this.finish(this.flushCallback);
      return;
    }
    this.flushDue(now);
    this.schedule(now);
  }

  private finish(callback: TransformCallback): void {
    this.flushCallback = undefined;
    this.timer?.cancel();
    this.timer = undefined;
    if (this.sink.encodedBytes > 0) this.push(this.sink.take());
    callback();
  }

  /** Returns false if a frame has led to the destruction of the merger. */
  private writeDue(now: number, always = false): boolean {
    const { rule, sink } = this;
    let slack = 0;
    while (always || this.mayEncode) {
      const queue = rule.next(now, slack) as Q | undefined;
      if (queue === undefined) break;
      if (rule.readEarlier(queue)) {
        if (this.isOver) return false;
        continue;
      }
      const source = rule.incompleteBefore(queue, now);
      if (source !== undefined) {
        source.onComplete = this.processAgain;
        rule.wakeAt = rule.latestOf(queue);
        break;
      }
      slack = EARLY_TOLERANCE;
      if (sink.head?.(queue, now) === true) {
        queue.started = true;
        if (queue.length > 0) rule.newHead(queue);
      } else {
        const frame = queue.shift();
        if (frame === undefined) break;
        queue.started = true;
        if (queue.length > 0) rule.newHead(queue);
        sink.frame(queue, frame, now);
      }
      if (this.isOver) return false;
      if (queue.ended && queue.length === 0) sink.drained(queue);
      if (sink.encodedBytes >= this.batchSize) this.flush();
    }
    return !this.isOver;
  }

  private get mayEncode(): boolean {
    return this.downstreamReady && !this.held && this.allowance > 0;
  }

  /** Bytes of the largest batch. While only some may be encoded, batches are small, so that the limit is kept. */
  private get batchSize(): number {
    return this.allowance === Infinity ? this.maxBatchSize : Math.min(this.bufferSize, this.allowance);
  }

  private flushDue(now: number): void {
    if (this.sink.encodedBytes === 0) {
      this.flushAt = Infinity;
      return;
    }
    if (this.flushAt === Infinity) this.flushAt = now + this.flushTimeout;
    if (this.downstreamReady && (now >= this.flushAt || this.sink.encodedBytes >= this.flushSize)) this.flush();
  }

  private schedule(now: number): void {
    // Without a reader or a connection, no timer is needed: `_read` and `hold` continue.
    const mergeAt = this.mayEncode ? this.rule.wakeAt : Infinity;
    const at = Math.min(mergeAt, this.downstreamReady ? this.flushAt : Infinity);
    if (at === Infinity || this.writableEnded) return;
    if (this.timer !== undefined) {
      if (this.timerAt <= at) return;
      this.timer.cancel();
    }
    this.timerAt = at;
    this.timer = this.clock.after(at - now, this.onTimer);
  }
}
