import type { Frame } from '../media/frame.js';
import { frameCharge } from './ledger.js';

/** `sentAt` of a frame that the kernel has not taken yet. */
const UNSENT = -1;

/**
 * Frames that a track has written and may have to write again when the connection breaks: the kernel had taken them, but
 * the server may never have seen them. In order; each keeps its charge while it is here.
 */
export class Retention {
  private frames: Frame[] = [];

  get length(): number {
    return this.frames.length;
  }

  /** Sequence number of the first frame; Infinity if there is none. */
  get firstSeq(): number {
    return this.frames[0]?.seq ?? Infinity;
  }

  push(frame: Frame): void {
    frame.sentAt = UNSENT;
    this.frames.push(frame);
  }

  /** The kernel has taken all up to sequence number `seq`, at monotonic ms `now`. */
  sent(seq: number, now: number): void {
    for (let i = this.frames.length - 1; i >= 0; i--) {
      const frame = this.frames[i];
      if (frame === undefined || frame.sentAt !== UNSENT) break;
      if (frame.seq <= seq) {
        this.markFrom(i, now);
        break;
      }
    }
  }

  /** The last key frame that left at or before `until`: nothing in front of it can still be on its way. */
  lastKeyUntil(until: number): Frame | undefined {
    for (let i = this.frames.length - 1; i >= 0; i--) {
      const frame = this.frames[i];
      if (frame !== undefined && frame.isKey && frame.sentAt !== UNSENT && frame.sentAt <= until) return frame;
    }
    return undefined;
  }

  /** Forgets sent frames from the front while `done` says so; returns the bytes to be given back. */
  trim(done: (frame: Frame) => boolean): number {
    let bytes = 0;
    let n = 0;
    for (const frame of this.frames) {
      if (frame.sentAt === UNSENT || !done(frame)) break;
      bytes += frameCharge(frame);
      frame.letGo();
      n++;
    }
    if (n > 0) this.frames = this.frames.slice(n);
    return bytes;
  }

  /** Forgets all frames; returns the bytes to be given back. */
  clear(): number {
    let bytes = 0;
    for (const frame of this.takeAll()) {
      bytes += frameCharge(frame);
      frame.letGo();
    }
    return bytes;
  }

  /** Gives all frames back, in order, to be written again. */
  takeAll(): Frame[] {
    const all = this.frames;
    this.frames = [];
    return all;
  }

  private markFrom(last: number, now: number): void {
    for (let i = last; i >= 0; i--) {
      const frame = this.frames[i];
      if (frame === undefined || frame.sentAt !== UNSENT) return;
      frame.sentAt = now;
    }
  }
}
