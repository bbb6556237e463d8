import { Frame } from '../../../lib/media/frame.js';
import { Merger, type FrameSink, type MergerOptions } from '../../../lib/merge/merger.js';
import { TrackQueue, type QueueGroup } from '../../../lib/merge/track-queue.js';
import { FakeClock } from '../time/fake-clock.js';

/** A track with a name; its stream's group unless told. */
export class NamedQueue extends TrackQueue {
  constructor(
    readonly name: string,
    group: { queues: TrackQueue[] } & QueueGroup = { queues: [] },
  ) {
    super(group);
    group.queues.push(this);
    this.ready = true;
  }
}

export interface Written {
  readonly what: string;
  /** When it was written, ms. */
  readonly at: number;
}

/** What a batch holds: the names of its frames. */
export type Batch = readonly string[];

/** Writes down what comes, ten bytes a frame. */
class NamingSink implements FrameSink<NamedQueue, Batch> {
  readonly written: Written[] = [];
  readonly gone: string[] = [];
  onFrame: ((what: string) => void) | undefined;
  private batch: string[] = [];

  get encodedBytes(): number {
    return this.batch.length * 10;
  }
  frame(queue: NamedQueue, frame: Frame, now: number): void {
    const what = `${queue.name}${frame.ms}`;
    this.onFrame?.(what);
    this.written.push({ what, at: now });
    this.batch.push(what);
  }
  drained(queue: NamedQueue): void {
    this.gone.push(queue.name);
  }
  take(): Batch {
    const { batch } = this;
    this.batch = [];
    return batch;
  }
}

type Options = Partial<MergerOptions<NamedQueue, Batch>>;

/** A merger on a clock that the spec turns; time starts at 1000. */
export class MergeBench {
  readonly clock = new FakeClock();
  readonly sink = new NamingSink();
  readonly merger: Merger<NamedQueue, Batch>;
  /** Batches as they came out. */
  readonly batches: Batch[] = [];

  constructor(options: Options = {}) {
    this.clock.advance(1000);
    const { clock, sink } = this;
    const usual = { minDelay: 500, maxDelay: 1000, earlyRelease: false, bufferSize: 1e6, flushTimeout: 0 };
    this.merger = new Merger<NamedQueue, Batch>({ ...usual, ...options, clock, sink });
  }

  /** Takes all that comes out. */
  read(): this {
    this.merger.on('data', (batch: Batch) => this.batches.push(batch));
    return this;
  }

  track(name: string, group?: { queues: TrackQueue[] }): NamedQueue {
    const queue = new NamedQueue(name, group);
    this.merger.add(queue);
    return queue;
  }

  /** Frames of these times arrive now. */
  arrive(queue: NamedQueue, ...times: number[]): void {
    this.merger.write({ queue, frames: times.map((ms) => this.frame(ms)) });
  }

  frame(ms: number): Frame {
    const frame = new Frame(0, ms, 0, 0, 1, [Buffer.alloc(1)]);
    frame.ms = ms;
    frame.arrivedAt = this.clock.now();
    return frame;
  }

  /** Lets `ms` pass, and gives what was written in it, as `name@time` (time since the start). */
  pass(ms: number): string[] {
    const from = this.sink.written.length;
    this.clock.advance(ms);
    return this.sink.written.slice(from).map(({ what, at }) => `${what}@${at - 1000}`);
  }

  /** What was written so far, in order. */
  get order(): string[] {
    return this.sink.written.map(({ what }) => what);
  }
}
