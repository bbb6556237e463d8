import type { Frame } from '../../media/frame.js';
import type { AckedBytes } from '../../rtmp/chunk/acked-bytes.js';

/** `sentAt` of a frame that the kernel has not taken yet. */
const UNSENT = -1;

const NONE: readonly Frame[] = [];

/** A written frame, and its position on its connection. */
export class Kept {
  constructor(
    readonly frame: Frame,
    /** What the server of that connection has read. */
    readonly acked: AckedBytes,
    /** Position of the first byte after it on that connection. */
    private readonly end: number,
  ) {}

  get isSent(): boolean {
    return this.frame.sentAt !== UNSENT;
  }

  /** True if the server's process has read all of it. */
  get isAcked(): boolean {
    return this.isSent && this.end <= this.acked.bytes;
  }

  /** True if the server's acknowledgements show that it has not read this far. */
  get isBehind(): boolean {
    return this.acked.isBehind(this.end);
  }
}

/**
 * Written frames of a track that may have to be written again when the connection breaks: the kernel has taken them,
 * but the server may not have received them. They are in order and stay charged while they are here.
 */
export class Retention {
  private all: Kept[] = [];

  get length(): number {
    return this.all.length;
  }

  /** Sequence number of the first frame; Infinity if there is none. */
  get firstSeq(): number {
    return this.all[0]?.frame.seq ?? Infinity;
  }

  /** @param end position of the first byte after the frame, among all bytes of the connection */
  push(frame: Frame, acked: AckedBytes, end: number): void {
    frame.sentAt = UNSENT;
    this.all.push(new Kept(frame, acked, end));
  }

  /** The kernel has taken all frames up to sequence number `seq`, at monotonic ms `now`. */
  sent(seq: number, now: number): void {
    for (let i = this.all.length - 1; i >= 0; i--) {
      const kept = this.all[i];
      if (kept === undefined || kept.isSent) break;
      if (kept.frame.seq <= seq) kept.frame.sentAt = Math.floor(now);
    }
  }

  /** The last frame that was sent at or before `until`. */
  lastSentUntil(until: number): Kept | undefined {
    return this.all.findLast((kept) => kept.isSent && kept.frame.sentAt <= until);
  }

  /**
   * Monotonic ms until which frames are in doubt. A frame that the server does not acknowledge is in doubt for `wait`
   * ms, and for `more` ms if the server shows that it has not read this far. Infinity: the kernel has not taken all
   * frames yet. 0: nothing is in doubt.
   */
  doubtUntil(wait: number, more: number): number {
    let until = 0;
    for (const kept of this.all) {
      if (!kept.isSent) return Infinity;
      if (!kept.isAcked) until = Math.max(until, kept.frame.sentAt + wait + (kept.isBehind ? more : 0));
    }
    return until;
  }

  /** The last key frame before which all frames are `done`. */
  lastBeginning(done: (kept: Kept) => boolean): Frame | undefined {
    let key: Frame | undefined;
    for (const kept of this.all) {
      if (kept.frame.isKey) key = kept.frame;
      if (!done(kept)) break;
    }
    return key;
  }

  /** Removes sent frames from the front while `done` returns true, and returns them. */
  trim(done: (kept: Kept) => boolean): readonly Frame[] {
    let n = 0;
    for (const kept of this.all) {
      if (!kept.isSent || !done(kept)) break;
      n++;
    }
    return n === 0 ? NONE : this.all.splice(0, n).map(({ frame }) => frame);
  }

  /** Removes the frames that the connection of `acked` has not sent yet, and returns them in order. */
  takeUnsent(acked: AckedBytes): Frame[] {
    const unsent = (kept: Kept): boolean => kept.acked === acked && !kept.isSent;
    const frames = this.all.filter(unsent).map(({ frame }) => frame);
    if (frames.length > 0) this.all = this.all.filter((kept) => !unsent(kept));
    return frames;
  }

  /** Removes all frames and returns them in order, to be written again. */
  takeAll(): Frame[] {
    const frames = this.all.map(({ frame }) => frame);
    this.all = [];
    return frames;
  }
}
