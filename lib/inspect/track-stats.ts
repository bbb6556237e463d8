import type { MediaType } from '../media/codec.js';
import { round, RunningStats, type StatsSummary } from './running-stats.js';

/**
 * A frame for {@link TrackStats}; times in ms, with fractions.
 */
export interface TimedFrame {
  readonly dtsMs: number;
  readonly bytes: number;
  readonly isKey: boolean;
  /** Wall-clock time at the source, ms since 1970; undefined where it is not known. */
  readonly createdMs?: number | undefined;
}

/** An irregular step of the time. `ms` of a gap: time between the two frames; of a step back: its size. */
export interface TimeFault {
  readonly fault: 'gap' | 'back';
  readonly ms: number;
}

/** Statistics of one track. Times in ms, bit rates in bits per second. */
export interface TrackSummary {
  readonly name: string;
  readonly mediaType: MediaType;
  readonly codec: string;
  readonly frames: number;
  readonly keyFrames: number;
  /** Payload only. */
  readonly bytes: number;
  /** Time covered by the frames, without gaps and steps back. */
  readonly durationMs: number;
  readonly framesPerSecond: number | undefined;
  /** `peak`: the best second, or the best part of one. */
  readonly bitrate: { readonly average: number; readonly peak: number } | undefined;
  readonly dtsMs: { readonly first: number; readonly last: number } | undefined;
  readonly created: { readonly first: string; readonly last: string } | undefined;
  /** Intervals between key frames. Video only. */
  readonly keyIntervalMs: StatsSummary | undefined;
  readonly gaps: { readonly count: number; readonly longestMs: number };
  readonly backwards: { readonly count: number; readonly farthestMs: number };
  /** Drift of `created` against dts, relative to the first frame; positive if `created` is faster. */
  readonly driftMs: { readonly last: number; readonly min: number; readonly max: number } | undefined;
  /** Frames that the service would skip, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** A step is a gap if it is this many times the usual one, */
const GAP_FACTOR = 3;
/** and this many ms longer than the usual one, since audio has uneven steps. */
const GAP_MIN_MS = 50;
/** Window for bit rates, ms. */
const WINDOW = 1000;

/** Collects times and sizes of one track frame by frame, in bounded memory. */
export class TrackStats {
  codec = '';
  private frames = 0;
  private keyFrames = 0;
  private bytes = 0;
  private firstDts = 0;
  private lastDts = 0;
  private firstCreated: number | undefined;
  private lastCreated = 0;
  private readonly skipped: Record<string, number> = {};
  private readonly gaps = new RunningStats();
  private readonly backwards = new RunningStats();
  private readonly drifts = new RunningStats();
  private lastDrift = 0;
  private firstOffset: number | undefined;
  private readonly keyIntervals = new RunningStats();
  private lastKeyDts: number | undefined;
  /** Running mean of the steps between frames. */
  private usualStep: number | undefined;
  /** Ordinary steps: their number, and their sum in ms. */
  private steps = 0;
  private covered = 0;
  private windowBytes = 0;
  private windowTime = 0;
  private peak = 0;

  constructor(
    readonly name: string,
    readonly mediaType: MediaType,
  ) {}

  /** Counts a frame that the service would skip. */
  skip(reason: string): void {
    this.skipped[reason] = (this.skipped[reason] ?? 0) + 1;
  }

  /** Adds the next frame; returns the irregularity of its time, if any. */
  add(frame: TimedFrame): TimeFault | undefined {
    const fault = this.frames === 0 ? undefined : this.step(frame.dtsMs - this.lastDts);
    if (this.frames === 0) this.firstDts = frame.dtsMs;
    this.lastDts = frame.dtsMs;
    this.frames++;
    this.bytes += frame.bytes;
    this.windowBytes += frame.bytes;
    if (frame.isKey) this.key(frame.dtsMs, fault);
    if (frame.createdMs !== undefined) this.time(frame.createdMs, frame.dtsMs);
    return fault;
  }

  /** Drift of the last frame: how far its `created` is off, relative to the first frame, ms. */
  get drift(): number {
    return this.lastDrift;
  }

  private step(ms: number): TimeFault | undefined {
    if (ms < 0) {
      this.backwards.add(-ms);
      return { fault: 'back', ms: round(-ms) };
    }
    const usual = this.usualStep ?? ms;
    // A gap moves the mean as well, but not far: when frames become rare, the mean soon follows.
    this.usualStep = usual + (Math.min(ms, 2 * usual + 1) - usual) / 8;
    if (ms > usual * GAP_FACTOR && ms - usual > GAP_MIN_MS) {
      this.gaps.add(ms);
      return { fault: 'gap', ms: round(ms) };
    }
    this.steps++;
    this.covered += ms;
    this.windowTime += ms;
    if (this.windowTime >= WINDOW) this.closeWindow();
    return undefined;
  }

  private closeWindow(): void {
    this.peak = Math.max(this.peak, (this.windowBytes * 8000) / this.windowTime);
    this.windowBytes = 0;
    this.windowTime = 0;
  }

  private key(dtsMs: number, fault: TimeFault | undefined): void {
    this.keyFrames++;
    if (this.lastKeyDts !== undefined && fault?.fault !== 'back') this.keyIntervals.add(dtsMs - this.lastKeyDts);
    this.lastKeyDts = dtsMs;
  }

  private time(createdMs: number, dtsMs: number): void {
    this.firstCreated ??= createdMs;
    this.lastCreated = createdMs;
    this.firstOffset ??= createdMs - dtsMs;
    this.lastDrift = round(createdMs - dtsMs - this.firstOffset);
    this.drifts.add(this.lastDrift);
  }

  summary(): TrackSummary {
    // The last frame is assumed to be as long as the others.
    const duration = this.steps === 0 ? 0 : this.covered + this.covered / this.steps;
    const average = duration === 0 ? 0 : (this.bytes * 8000) / duration;
    const drifts = this.drifts.summary();
    const { firstCreated } = this;
    return {
      name: this.name,
      mediaType: this.mediaType,
      codec: this.codec,
      frames: this.frames,
      keyFrames: this.keyFrames,
      bytes: this.bytes,
      durationMs: round(duration),
      framesPerSecond: duration === 0 ? undefined : round((this.frames * 1000) / duration),
      bitrate:
        duration === 0 ? undefined : { average: Math.round(average), peak: Math.round(Math.max(this.peak, average)) },
      dtsMs: this.frames === 0 ? undefined : { first: round(this.firstDts), last: round(this.lastDts) },
      created: firstCreated === undefined ? undefined : { first: wall(firstCreated), last: wall(this.lastCreated) },
      keyIntervalMs: this.mediaType === 'video' ? this.keyIntervals.summary() : undefined,
      gaps: { count: this.gaps.count, longestMs: this.gaps.summary()?.max ?? 0 },
      backwards: { count: this.backwards.count, farthestMs: this.backwards.summary()?.max ?? 0 },
      driftMs: drifts === undefined ? undefined : { last: this.lastDrift, min: drifts.min, max: drifts.max },
      skipped: this.skipped,
    };
  }
}

/** A time since 1970 in ISO form, or in ms if Date cannot represent it. */
export function wall(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms since 1970` : date.toISOString();
}
