import type { Block } from '../../media/block.js';
import { CHARGE, END, FLAGS, FrameRing, MS, SENT_AT, SEQ } from '../../media/frame-ring.js';
import { framePool } from '../../media/frame-pool.js';
import { KEY_FRAME, type Frame } from '../../media/frame.js';
import type { AckedBytes } from '../../rtmp/chunk/acked-bytes.js';
import type { TrackMemory } from './track-memory.js';

/** `sentAt` of a frame that the kernel has not taken yet. */
const UNSENT = -1;

const NO_BYTES: Pick<AckedBytes, 'bytes' | 'isBehind'> = { bytes: 0, isBehind: () => false };

/** Kept frames in sequence that were written to the same connection. */
interface Run {
  readonly acked: AckedBytes;
  count: number;
}

/** A kept frame. {@link Retention} shows all its frames by the same object: it is valid during the call. */
export class Kept {
  seq = 0;
  ms = 0;
  isKey = false;
  /** Monotonic ms at which the kernel took it. */
  sentAt = UNSENT;
  /** What the server of its connection has read. */
  acked: AckedBytes | undefined = undefined;
  /** Position of the first byte after it on that connection. */
  end = 0;

  get isSent(): boolean {
    return this.sentAt !== UNSENT;
  }

  /** True if the server's process has read all of it. */
  get isAcked(): boolean {
    return this.isSent && this.end <= (this.acked ?? NO_BYTES).bytes;
  }

  /** True if the server's acknowledgements show that it has not read this far. */
  get isBehind(): boolean {
    return (this.acked ?? NO_BYTES).isBehind(this.end);
  }
}

/**
 * Written frames of a track that may have to be written again when the connection breaks: the kernel has taken them,
 * but the server may not have received them. They are in order and stay charged while they are here.
 */
export class Retention {
  private readonly ring = new FrameRing();
  private runs: Run[] = [];
  private readonly shown = new Kept();

  get length(): number {
    return this.ring.length;
  }

  /** Sequence number of the first frame; Infinity if there is none. */
  get firstSeq(): number {
    return this.length > 0 ? this.ring.time(0, SEQ) : Infinity;
  }

  /**
   * @param end position of the first byte after the frame, among all bytes of the connection
   * @param block keeps `frame` as numbers: the payload is in it, and the caller's hold on it is taken over. undefined:
   *   the object is kept
   */
  push(frame: Frame, acked: AckedBytes, end: number, block?: Block): void {
    this.ring.pushWritten(frame, UNSENT, end, block);
    const last = this.runs.at(-1);
    if (last?.acked === acked) last.count++;
    else this.runs.push({ acked, count: 1 });
  }

  /** The kernel has taken all frames up to sequence number `seq`, at monotonic ms `now`. */
  sent(seq: number, now: number): void {
    const { ring } = this;
    for (let i = this.length - 1; i >= 0 && ring.time(i, SENT_AT) === UNSENT; i--)
      if (ring.time(i, SEQ) <= seq) ring.setTime(i, SENT_AT, Math.floor(now));
  }

  /**
   * The last frame that was sent at or before `until`: the connection of it, if its server has not read this far as its
   * acknowledgements show.
   */
  behindAt(until: number): AckedBytes | undefined {
    for (let i = this.length - 1; i >= 0; i--) {
      const kept = this.show(i);
      if (kept.isSent && kept.sentAt <= until) return kept.isBehind ? kept.acked : undefined;
    }
    return undefined;
  }

  /**
   * Monotonic ms until which frames are in doubt. A frame that the server does not acknowledge is in doubt for `wait`
   * ms, and for `more` ms if the server shows that it has not read this far. Infinity: the kernel has not taken all
   * frames yet. 0: nothing is in doubt.
   */
  doubtUntil(wait: number, more: number): number {
    let until = 0;
    for (let i = 0; i < this.length; i++) {
      const kept = this.show(i);
      if (!kept.isSent) return Infinity;
      if (!kept.isAcked) until = Math.max(until, kept.sentAt + wait + (kept.isBehind ? more : 0));
    }
    return until;
  }

  /** The last key frame before which all frames are `done`: its sequence number and its time, ms. */
  lastBeginning(done: (kept: Kept) => boolean): { readonly seq: number; readonly ms: number } | undefined {
    let key = -1;
    for (let i = 0; i < this.length; i++) {
      const kept = this.show(i);
      if (kept.isKey) key = i;
      if (!done(kept)) break;
    }
    return key < 0 ? undefined : { seq: this.ring.time(key, SEQ), ms: this.ring.time(key, MS) };
  }

  /** Forgets sent frames from the front while `done` returns true. */
  trim(done: (kept: Kept) => boolean, memory: TrackMemory): void {
    const { runs } = this;
    while (this.length > 0) {
      const kept = this.show(0);
      if (!kept.isSent || !done(kept)) return;
      this.forget(memory);
      const run = runs[0];
      if (run !== undefined && --run.count === 0) runs.shift();
    }
  }

  /** Removes the frames that the connection of `acked` has not sent yet, and returns them in order. */
  takeUnsent(acked: AckedBytes): Frame[] {
    let has = false;
    for (let i = 0; i < this.length && !has; i++) {
      const kept = this.show(i);
      has = kept.acked === acked && !kept.isSent;
    }
    if (!has) return [];
    const unsent: Frame[] = [];
    const { ring, runs } = this;
    this.runs = [];
    for (const run of runs) {
      for (let i = 0; i < run.count; i++) {
        const sentAt = ring.time(0, SENT_AT);
        const end = ring.time(0, END);
        const frame = ring.shift();
        if (frame === undefined) continue;
        if (run.acked === acked && sentAt === UNSENT) {
          unsent.push(frame);
          continue;
        }
        this.push(frame, run.acked, end);
        ring.setTime(this.length - 1, SENT_AT, sentAt);
      }
    }
    return unsent;
  }

  /** Removes all frames and returns them in order, to be written again. */
  takeAll(): Frame[] {
    const frames: Frame[] = [];
    while (this.length > 0) {
      const sentAt = this.ring.time(0, SENT_AT);
      const frame = this.ring.shift();
      if (frame === undefined) break;
      frame.sentAt = sentAt;
      frames.push(frame);
    }
    this.runs = [];
    return frames;
  }

  /** Releases the first frame. */
  private forget(memory: TrackMemory): void {
    const { ring } = this;
    if (ring.headBlock !== undefined) {
      memory.releaseNumbers(ring.size(0, CHARGE));
      ring.dropHead();
      return;
    }
    const frame = ring.shift();
    if (frame === undefined) return;
    memory.release(frame);
    framePool.give(frame);
  }

  private show(i: number): Kept {
    const { ring, shown } = this;
    shown.seq = ring.time(i, SEQ);
    shown.ms = ring.time(i, MS);
    shown.isKey = (ring.size(i, FLAGS) & KEY_FRAME) !== 0;
    shown.sentAt = ring.time(i, SENT_AT);
    shown.end = ring.time(i, END);
    shown.acked = this.ackedOf(i);
    return shown;
  }

  /** There are one or two runs, except where the connection has broken several times in a second. */
  private ackedOf(i: number): AckedBytes | undefined {
    let left = i;
    for (const { acked, count } of this.runs) {
      if (left < count) return acked;
      left -= count;
    }
    return undefined;
  }
}
