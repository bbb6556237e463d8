import type { MediaInfo } from '../media/media-info.js';
import type { PlannedTrack } from './plan.js';
import type { SourceFrame } from '../source/source.js';

/** A frame and the time at which it is due. */
export interface TimedFrame {
  readonly planned: PlannedTrack;
  readonly frame: SourceFrame;
  /** The media info of the frame. */
  readonly info: MediaInfo;
  /** ms from the start, earlier passes included. */
  readonly media: number;
  /** Offset to add to the frame's dts (and to `created` of a dump), in timescale units. */
  readonly shift: number;
}

/** Duration of a frame that is the only one of its track, ms. */
const LONE_FRAME = 40;

/** Reads the frames of one track, with their time in the pass. */
class Cursor {
  head: SourceFrame | undefined;
  info: MediaInfo;
  /** ms from the beginning of the pass to the head. */
  media = 0;
  /** ms from the frame before the head to it. */
  step = LONE_FRAME;
  private readonly iterator: AsyncIterator<SourceFrame>;

  constructor(readonly planned: PlannedTrack) {
    this.info = planned.track.info;
    this.iterator = planned.track.frames()[Symbol.asyncIterator]();
  }

  async advance(): Promise<void> {
    const before = this.head;
    const { done, value } = await this.iterator.next();
    this.head = done === true ? undefined : value;
    this.info = this.head?.info ?? this.info;
    if (before === undefined || this.head === undefined) return;
    const step = this.toMs(this.head.dts - before.dts);
    // A timestamp that goes back must not stop the other tracks or release an hour of frames: the last step is used.
    if (step >= 0) this.step = step;
    this.media += this.step;
  }

  toMs(units: number): number {
    return (units * 1000) / this.planned.track.info.timescale;
  }

  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}

/**
 * Gives the frames of all tracks in the order in which they are due, `passes` times. Timestamps continue from pass to
 * pass.
 *
 * Timestamps of files are moved so that the earliest frame has dts 0 (an MP4 file may begin below 0, a transport stream
 * anywhere). KMP dumps keep theirs.
 *
 * @param passes 1 or more; Infinity for an endless loop
 */
export async function* timeline(tracks: readonly PlannedTrack[], passes = 1): AsyncGenerator<TimedFrame> {
  let passed = 0;
  for (let pass = 0; pass < passes; pass++) {
    const cursors = tracks.map((planned) => new Cursor(planned));
    try {
      for (const cursor of cursors) await cursor.advance();
      const bases = [false, true].map((absolute) => begin(cursors, absolute));
      let end = 0;
      for (;;) {
        const cursor = earliest(cursors);
        if (cursor?.head === undefined) break;
        const { planned, head: frame, info, media } = cursor;
        const { timescale } = planned.track.info;
        const base = planned.source.absolute ? 0 : (bases[0] ?? 0);
        const shift = Math.round(((passed - base) * timescale) / 1000);
        yield { planned, frame, info, media: passed + media, shift };
        await cursor.advance();
        end = Math.max(end, media + cursor.step);
      }
      if (end === 0) return;
      // In whole ms, so that tracks of any timescale stay synchronous.
      passed += Math.ceil(end);
    } finally {
      await Promise.all(cursors.map((cursor) => cursor.close()));
    }
  }
}

/** Sets the times of the cursors of one kind of source relative to their earliest frame; returns its time in ms. */
function begin(cursors: readonly Cursor[], absolute: boolean): number {
  const group = cursors.filter(({ planned }) => planned.source.absolute === absolute);
  const first = Math.min(
    ...group.map((cursor) => (cursor.head === undefined ? Infinity : cursor.toMs(cursor.head.dts))),
  );
  for (const cursor of group) if (cursor.head !== undefined) cursor.media = cursor.toMs(cursor.head.dts) - first;
  return Number.isFinite(first) ? first : 0;
}

function earliest(cursors: readonly Cursor[]): Cursor | undefined {
  let found: Cursor | undefined;
  for (const cursor of cursors)
    if (cursor.head !== undefined && (found === undefined || cursor.media < found.media)) found = cursor;
  return found;
}
