import type { Frame } from '../../media/frame.js';
import type { AckedBytes } from '../../rtmp/acked-bytes.js';

/** `sentAt` of a frame that the kernel has not taken yet. */
const UNSENT = -1;

const NONE: readonly Frame[] = [];

/** A frame that has been written, and where. */
export class Kept {
  constructor(
    readonly frame: Frame,
    /** What the server of the connection that it was written to has read. */
    readonly acked: AckedBytes,
    /** Place of the byte behind it on that connection. */
    private readonly end: number,
  ) {}

  get isSent(): boolean {
    return this.frame.sentAt !== UNSENT;
  }

  /** True if the server's process has read all of it. */
  get isAcked(): boolean {
    return this.isSent && this.end <= this.acked.bytes;
  }

  /** True if the server says by what it does not acknowledge that it has not come so far. */
  get isBehind(): boolean {
    return this.acked.isBehind(this.end);
  }
}

/**
 * Frames that a track has written and may have to write again when the connection breaks: the kernel had taken them, but
 * the server may never have seen them. In order; each keeps its charge while it is here.
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

  /** @param end place of the byte behind the frame, of all bytes of the connection */
  push(frame: Frame, acked: AckedBytes, end: number): void {
    frame.sentAt = UNSENT;
    this.all.push(new Kept(frame, acked, end));
  }

  /** The kernel has taken all up to sequence number `seq`, at monotonic ms `now`. */
  sent(seq: number, now: number): void {
    for (let i = this.all.length - 1; i >= 0; i--) {
      const kept = this.all[i];
      if (kept === undefined || kept.isSent) break;
      if (kept.frame.seq <= seq) kept.frame.sentAt = Math.floor(now);
    }
  }

  /** The last frame that left at or before `until`. */
  lastSentUntil(until: number): Kept | undefined {
    return this.all.findLast((kept) => kept.isSent && kept.frame.sentAt <= until);
  }

  /**
   * Monotonic ms until which it is not known that all has arrived: `wait` ms for what the server does not acknowledge, and
   * `more` where it says that it has not come so far. Infinity while frames are on their way to the kernel, 0 if nothing is
   * in doubt.
   */
  doubtUntil(wait: number, more: number): number {
    let until = 0;
    for (const kept of this.all) {
      if (!kept.isSent) return Infinity;
      if (!kept.isAcked) until = Math.max(until, kept.frame.sentAt + wait + (kept.isBehind ? more : 0));
    }
    return until;
  }

  /** The last key frame that has nothing in front of it which is not `done`. */
  lastBeginning(done: (kept: Kept) => boolean): Frame | undefined {
    let key: Frame | undefined;
    for (const kept of this.all) {
      if (kept.frame.isKey) key = kept.frame;
      if (!done(kept)) break;
    }
    return key;
  }

  /** Takes out sent frames from the front while `done` says so. */
  trim(done: (kept: Kept) => boolean): readonly Frame[] {
    let n = 0;
    for (const kept of this.all) {
      if (!kept.isSent || !done(kept)) break;
      n++;
    }
    return n === 0 ? NONE : this.all.splice(0, n).map(({ frame }) => frame);
  }

  /** Takes out the frames, in order, that the connection of `acked` has not sent yet. */
  takeUnsent(acked: AckedBytes): Frame[] {
    const unsent = (kept: Kept): boolean => kept.acked === acked && !kept.isSent;
    const frames = this.all.filter(unsent).map(({ frame }) => frame);
    if (frames.length > 0) this.all = this.all.filter((kept) => !unsent(kept));
    return frames;
  }

  /** Gives all frames back, in order, to be written again. */
  takeAll(): Frame[] {
    const frames = this.all.map(({ frame }) => frame);
    this.all = [];
    return frames;
  }
}
