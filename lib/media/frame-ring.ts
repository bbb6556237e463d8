import type { Block } from './block.js';
import { NEVER_WRITTEN, type Frame } from './frame.js';
import { framePool } from './frame-pool.js';

// A frame in numbers has a place in two arrays. The numbers are the fields of the same names of a Frame.

/** In {@link FrameRing.times}, from where {@link FrameRing.add} says. */
export const CREATED = 0;
export const DTS = 1;
export const MS = 2;
export const ARRIVED_AT = 3;
export const SEQ = 4;
/** Only for frames that were written: see {@link FrameRing.pushWritten}. */
export const SENT_AT = 5;
export const END = 6;

/** In {@link FrameRing.sizes}, from the same place. */
export const SIZE = 0;
/** Where the payload begins in the memory of its block. */
export const START = 1;
export const FLAGS = 2;
export const PTS_DELAY = 3;
export const CHARGE = 4;

/** Numbers of a frame in each array. */
const FIELDS = 7;

/** Places of an empty ring. */
const FIRST_SIZE = 16;

/** A ring of at most so many places does not shrink. */
const SMALL = 64;

/** A ring shrinks when fewer than this share of its places is in use. */
const HARDLY_USED = 1 / 8;

/** The most frames that {@link FrameRing.fetch} reads: those of a turn, or more. */
const MOST_FETCHED = 32;

/**
 * The waiting frames of one track, in order. Most are only numbers in two arrays, with nothing for V8 to collect
 * (docs/performance.md). A frame that is more than that (in several pieces, made by a stage of a program, to be sent
 * again) is a {@link Frame}. A frame in numbers becomes one when it is asked for.
 *
 * The ring has a hold on the block of each frame in numbers.
 */
export class FrameRing {
  /** Numbers that need more than 32 bits. Each {@link add} may replace both arrays by larger ones. */
  times = new Float64Array(0);
  /** The other numbers. */
  sizes = new Int32Array(0);
  /** How many frames were added and not committed. */
  pending = 0;
  private frames = new Array<Frame | undefined>(FIRST_SIZE);
  private blocks = new Array<Block | undefined>(FIRST_SIZE);
  private first = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  // Frames in numbers

  /**
   * Adds a place behind the last frame, and behind those that were added and not committed. Returns where its numbers
   * begin in {@link times} and {@link sizes}.
   */
  add(): number {
    const { frames } = this;
    if (this.times.length === 0) {
      this.times = new Float64Array(frames.length * FIELDS);
      this.sizes = new Int32Array(frames.length * FIELDS);
    }
    if (this.count + this.pending === frames.length) this.resize(frames.length * 2);
    return this.place(this.count + this.pending++) * FIELDS;
  }

  /** Where the numbers of the frame begin that was added as number `i` and is not committed. */
  pendingAt(i: number): number {
    return this.place(this.count + i) * FIELDS;
  }

  /** dts, ms, of the frame that was added as number `i` and is not committed. */
  pendingMs(i: number): number {
    return this.times[this.pendingAt(i) + MS] ?? 0;
  }

  /** The added frames, whose payloads are in `block`, are frames of the ring from now on. */
  commit(block: Block): void {
    const { blocks, pending } = this;
    for (let i = 0; i < pending; i++) blocks[this.place(this.count + i)] = block;
    block.retain(pending);
    this.count += pending;
    this.pending = 0;
  }

  /** Forgets what was added and not committed. */
  cancel(): void {
    this.pending = 0;
    this.shrink();
  }

  /** The block of the first frame, if that is in numbers. */
  get headBlock(): Block | undefined {
    return this.blocks[this.first];
  }

  /** One of the {@link times} of the first frame, which is in numbers. */
  headTime(field: number): number {
    return this.times[this.first * FIELDS + field] ?? 0;
  }

  /** Removes the first frame, which is in numbers, and sets `frame` to it. Its hold on `block` is the caller's then. */
  takeHead(frame: Frame, block: Block): void {
    this.fill(this.first, frame, block);
    this.blocks[this.first] = undefined;
    this.removeFirst();
  }

  /** Removes the first frame, which is in numbers, and releases its block. */
  dropHead(): void {
    this.blocks[this.first]?.release();
    this.blocks[this.first] = undefined;
    this.removeFirst();
  }

  // Written frames: all of them have numbers, also those that are objects

  /**
   * Adds a frame that was written.
   *
   * @param block the frame is kept as numbers: its payload is there, and the ring takes over the hold of the caller.
   *   undefined: the object is kept
   */
  pushWritten(frame: Frame, sentAt: number, end: number, block?: Block): void {
    const at = this.add();
    const { times, sizes } = this;
    times[at + CREATED] = frame.created;
    times[at + DTS] = frame.dts;
    times[at + MS] = frame.ms;
    times[at + ARRIVED_AT] = frame.arrivedAt;
    times[at + SEQ] = frame.seq;
    times[at + SENT_AT] = sentAt;
    times[at + END] = end;
    sizes[at + SIZE] = frame.size;
    sizes[at + START] = frame.start;
    sizes[at + FLAGS] = frame.flags;
    sizes[at + PTS_DELAY] = frame.ptsDelay;
    sizes[at + CHARGE] = frame.charge;
    const place = this.place(this.count++);
    this.pending = 0;
    if (block === undefined) this.frames[place] = frame;
    else this.blocks[place] = block;
  }

  /** One of the {@link times} of the written frame at place `i`. */
  time(i: number, field: number): number {
    return this.times[this.place(i) * FIELDS + field] ?? 0;
  }

  setTime(i: number, field: number, value: number): void {
    this.times[this.place(i) * FIELDS + field] = value;
  }

  /** One of the {@link sizes} of the written frame at place `i`. */
  size(i: number, field: number): number {
    return this.sizes[this.place(i) * FIELDS + field] ?? 0;
  }

  // Frames as objects

  /** The frame at place `i` from the first one. Not for the hot path: it becomes an object. */
  at(i: number): Frame | undefined {
    return i < this.count ? this.object(this.place(i)) : undefined;
  }

  push(frame: Frame): void {
    if (this.count === this.frames.length) this.resize(this.count * 2);
    this.frames[this.place(this.count++)] = frame;
  }

  /** Adds a frame in front of the first one. */
  unshift(frame: Frame): void {
    if (this.count === this.frames.length) this.resize(this.count * 2);
    this.first = this.place(this.frames.length - 1);
    this.frames[this.first] = frame;
    this.count++;
  }

  shift(): Frame | undefined {
    if (this.count === 0) return undefined;
    const frame = this.object(this.first);
    this.frames[this.first] = undefined;
    this.removeFirst();
    return frame;
  }

  /** The sequence number of the first frame; there must be one. */
  get headSeq(): number {
    return this.frames[this.first]?.seq ?? this.headTime(SEQ);
  }

  /**
   * Reads a number of each frame that arrived by monotonic ms `until`, and will be written now. They were queued half a
   * second ago, and are in memory, not in the CPU's cache. Here the CPU fetches several of them at the same time. Later
   * it would wait for each (docs/performance.md). Frames in numbers are next to each other, and do not need it.
   *
   * @returns the sum, so that the compiler does not leave the reads out
   */
  fetch(until: number): number {
    const { frames } = this;
    const n = Math.min(this.count, MOST_FETCHED);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const frame = frames[this.place(i)];
      if (frame === undefined || frame.arrivedAt > until) break;
      sum += frame.dts;
    }
    return sum;
  }

  /** The number of places is a power of two. */
  private place(i: number): number {
    return (this.first + i) & (this.frames.length - 1);
  }

  private object(place: number): Frame | undefined {
    const block = this.blocks[place];
    if (block === undefined) return this.frames[place];
    const frame = framePool.take(0, block.memory, 0);
    this.fill(place, frame, block);
    // It takes over the hold of the ring.
    frame.takeHold(block);
    this.blocks[place] = undefined;
    this.frames[place] = frame;
    return frame;
  }

  private fill(place: number, frame: Frame, block: Block): void {
    const { times, sizes } = this;
    const { fields } = frame;
    const at = place * FIELDS;
    fields.created = times[at + CREATED] ?? 0;
    fields.dts = times[at + DTS] ?? 0;
    frame.ms = whole(times[at + MS] ?? 0);
    frame.arrivedAt = whole(times[at + ARRIVED_AT] ?? 0);
    frame.seq = whole(times[at + SEQ] ?? 0);
    fields.flags = (sizes[at + FLAGS] ?? 0) >>> 0;
    fields.ptsDelay = sizes[at + PTS_DELAY] ?? 0;
    fields.size = sizes[at + SIZE] ?? 0;
    frame.charge = sizes[at + CHARGE] ?? 0;
    frame.sentAt = NEVER_WRITTEN;
    frame.buffer = block.memory;
    frame.start = sizes[at + START] ?? 0;
  }

  private removeFirst(): void {
    this.first = (this.first + 1) & (this.frames.length - 1);
    this.count--;
    this.shrink();
  }

  private shrink(): void {
    const { length } = this.frames;
    let size = length;
    while (size > SMALL && this.count + this.pending < size * HARDLY_USED) size /= 2;
    if (size < length) this.resize(size);
  }

  private resize(size: number): void {
    const used = this.count + this.pending;
    const frames = new Array<Frame | undefined>(size);
    const blocks = new Array<Block | undefined>(size);
    const places = this.times.length === 0 ? 0 : size * FIELDS;
    const times = new Float64Array(places);
    const sizes = new Int32Array(places);
    for (let i = 0; i < used; i++) {
      const from = this.place(i);
      frames[i] = this.frames[from];
      blocks[i] = this.blocks[from];
      for (let k = 0; k < FIELDS && places > 0; k++) {
        times[i * FIELDS + k] = this.times[from * FIELDS + k] ?? 0;
        sizes[i * FIELDS + k] = this.sizes[from * FIELDS + k] ?? 0;
      }
    }
    this.frames = frames;
    this.blocks = blocks;
    this.times = times;
    this.sizes = sizes;
    this.first = 0;
  }
}

/**
 * A number from an array of fractions is an object for V8, until it is used as a 32-bit number. An object in a field of
 * a Frame would change the layout of all frames.
 */
function whole(value: number): number {
  const small = value | 0;
  return small === value ? small : value;
}
