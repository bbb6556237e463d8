import type { MediaType } from '../../media/codec.js';
import type { Frame } from '../../media/frame.js';
import { toMs } from '../../media/timescale.js';
import type { ArrivalLag } from '../../merge/arrival-lag.js';

/** ms by which the first frame after a gap may be ahead of the time that has passed: senders flush once a second. */
const AHEAD = 2_000;

/** ms by which frames may be late before their track gets other timestamps, and for how long they are dropped. */
const LATE = 2_000;

/** ms by which the frames of a sender that continues may go back, as they did at the source. */
const WITHIN_SOURCE = 1_000;

/** ms by which the clock of the source may disagree with the arrival of frames. Beyond that, it is not used. */
const SOURCE_CLOCK_ERROR = 2_000;

/** A break in the media of a track, from its last frame to the first frame that is accepted after it. */
export interface Gap {
  /** Monotonic ms of the beginning. */
  readonly since: number;
  /** The number of offsets that the stream had decided by then. */
  readonly decisions: number;
  /** True if the next frame follows the last one at the source: the sender has resumed, or was only silent. */
  continues: boolean;
  /** Monotonic ms of the first frame that was dropped because it came too late. */
  lateSince: number | undefined;
}

/** A track, as its timeline sees it. */
export interface TimedTrack {
  readonly mediaType: MediaType;
  readonly lag: ArrivalLag;
  /** Time of its last frame, ms; -Infinity before the first. */
  lastMs: number;
  /** No later frame may have a lower time, ms. */
  readonly floorMs: number;
  /** True while the service itself fills its gap. */
  readonly isFilled: boolean;
  /** ms added to the timestamps of its sender. */
  offset: number;
  /** Set while its media is missing and is expected to return. */
  gap: Gap | undefined;
  /** ms by which the clock of the source (`created`) was ahead of the timestamps when the last sender left. */
  readonly sourceLag: number;
}

/**
 * The timestamps of a stream over the gaps of its senders (docs/protocol/behaviour.md, Absent senders). A sender that
 * returns may be another process, whose timestamps begin elsewhere. Its frames get an offset, so that the stream
 * continues by the time that has passed. All tracks of a sender get the same one, so sound and picture stay together.
 */
export class StreamTimeline {
  /** ms: the offset that was decided last. */
  private offset = 0;
  /** How often an offset was decided. */
  private decisions = 0;
  /** Times of the last frames of tracks that have ended, ms. */
  private readonly ended = new Map<MediaType, number>();
  private hasGaps = false;

  constructor(private readonly tracks: () => readonly TimedTrack[]) {}

  /** The media of a track is missing from `now` on, monotonic ms. A gap that it has already stays. */
  begin(track: TimedTrack, now: number, continues: boolean): Gap {
    this.hasGaps = true;
    return (track.gap ??= { since: now, decisions: this.decisions, continues, lateSince: undefined });
  }

  trackEnded({ mediaType, lastMs }: TimedTrack): void {
    if (this.hasGaps) this.ended.set(mediaType, lastMs);
  }

  /** A track joins a stream that may have had gaps: its sender may be one that has returned. */
  trackAdded(track: TimedTrack, now: number): void {
    if (!this.hasGaps) return;
    track.offset = this.offset;
    track.lastMs = this.ended.get(track.mediaType) ?? -Infinity;
    this.begin(track, now, false);
  }

  /**
   * The timestamp of a frame that would arrive at `now`, monotonic ms, if the senders had not paused; -Infinity if
   * nothing has arrived yet.
   */
  expected(now: number): number {
    let expected = -Infinity;
    for (const { lag } of this.tracks()) expected = Math.max(expected, lag.expectedMs(now));
    return expected;
  }

  /**
   * Takes a frame of a track that has a gap. Returns true if the gap ends with it: its time and the offset of its track
   * are set. Otherwise it comes too late, and must be dropped.
   *
   * @param now monotonic ms
   */
  place(track: TimedTrack, gap: Gap, frame: Frame, timescale: number, now: number): boolean {
    const given = toMs(frame.dts, timescale);
    // After the pictures of a slate, a group is not continued.
    if (track.isFilled && track.mediaType === 'video' && !frame.isKey) return false;
    const offset = this.offsetFor(track, gap, given, now);
    if (offset === 'late') {
      gap.lateSince ??= now;
      if (now - gap.lateSince < LATE) return false;
    }
    this.offset = typeof offset === 'number' ? offset : this.target(track, frame, timescale, now) - given;
    this.decisions++;
    track.offset = this.offset;
    track.gap = undefined;
    frame.ms = given + this.offset;
    return true;
  }

  /** An offset under which the frame follows what was sent, if there is one. */
  private offsetFor(track: TimedTrack, gap: Gap, given: number, now: number): number | 'late' | undefined {
    const { floorMs } = track;
    if (gap.continues) {
      const ms = given + track.offset;
      if (ms >= floorMs) return track.offset;
      if (track.isFilled) return 'late';
      return ms >= floorMs - WITHIN_SOURCE ? track.offset : undefined;
    }
    const latest = this.expected(now) + AHEAD;
    // A decision about another track of the sender holds for this one.
    const decided = this.decisions > gap.decisions;
    for (const offset of decided ? [this.offset, track.offset] : [track.offset, this.offset]) {
      const ms = given + offset;
      if (latest === -Infinity || (ms >= floorMs && ms <= latest)) return offset;
    }
    const behind = floorMs - given - this.offset;
    return decided && behind > 0 && behind <= LATE ? 'late' : undefined;
  }

  /**
   * Where the frame belongs by the time that has passed. The source's own clock measures it best: with it, two
   * upstreams of one source get the same timestamps.
   */
  private target(track: TimedTrack, frame: Frame, timescale: number, now: number): number {
    const expected = this.expected(now);
    const bySource = toMs(frame.created, timescale) - track.sourceLag;
    const agrees = bySource > track.lastMs && Math.abs(bySource - expected) <= SOURCE_CLOCK_ERROR;
    return Math.round(Math.max(agrees ? bySource : expected, track.floorMs));
  }
}
