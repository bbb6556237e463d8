import { Frame } from './frame.js';

const NO_PAYLOAD: readonly Buffer[] = [];

/**
 * Frames without content that are kept; further ones are left to V8. A frame takes some 200 bytes. The reads of a
 * thousand audio tracks may fall into the same turn, half a second before their frames are sent.
 */
const MOST = 32_768;

/**
 * Frames that are used again. Each frame lives for half a second or more. As new objects, V8 would copy each of them
 * twice, and then collect it from its old generation: a tenth of the CPU at 400 upstreams (docs/performance.md).
 *
 * Only the owner that releases a frame gives it back, when it has removed its last reference. A frame that is not given
 * back is garbage like any other object.
 */
export class FramePool {
  private readonly free: Frame[] = [];
  private count = 0;

  /** A frame whose payload is `size` bytes of `buffer`. The other fields have to be set, by `frame.fields`. */
  take(size: number, buffer: Buffer, start: number): Frame {
    const frame = this.count > 0 ? this.free[--this.count] : undefined;
    return (frame ?? new Frame(NaN, NaN, 0, 0, 0, NO_PAYLOAD)).begin(size, buffer, start);
  }

  /** Nothing refers to `frame` any more. Frames that were not taken from a pool, or are back already, are ignored. */
  give(frame: Frame): void {
    if (!frame.finish() || this.count === MOST) return;
    this.free[this.count++] = frame;
  }
}

/** The frame pool of this process. */
export const framePool = new FramePool();
