import type { Frame } from '../../media/frame.js';
import type { Logger } from '../../base/logger.js';
import type { LagLimits } from './lag-limits.js';
import { frameCharge, type Ledger } from './ledger.js';
import { leaveOutOld } from './outage-window.js';
import type { DropCause, Track } from './track.js';

/** Share of the memory limit above which new groups of pictures are dropped. */
const HIGH = 0.75;
/** Share above which the group that is arriving is dropped, too, and queued whole groups. */
const VERY_HIGH = 0.9;
/** Share below which new groups are accepted again. */
const LOW = 0.5;

/** Below this share of the memory limit, frames may have to be dropped before others are taken. */
const NEARLY_FULL = 0.25;

/** Frames are left out in one go when the oldest is this much older than the limit, ms. */
const WINDOW_STEP = 1_000;

/** Most frames of a track that wait while no server takes them: more would close its connection. */
const MOST_WAITING = 8192;

/**
 * Implements `kmp_rtmp_out_overload drop_frames`. When memory runs out, video is dropped in whole groups, from a key
 * frame to the next; audio is never dropped. An episode begins above {@link HIGH} and ends below {@link LOW}. Each logs
 * one warning.
 */
export class Overload {
  private active = false;
  private dropped = 0;

  constructor(
    private readonly ledger: Ledger,
    private readonly log: Logger,
    private readonly limits: LagLimits,
    private readonly now: () => number,
  ) {}

  /**
   * Whether a received frame is accepted for its track. Call it before the frame is charged; it may drop queued frames
   * to make room.
   *
   * @param tracks all tracks of the upstream
   * @param cause why memory would run out
   */
  admits(track: Track, frame: Frame, tracks: () => readonly Track[], cause: DropCause = 'slow'): boolean {
    const { ledger } = this;
    const used = ledger.used / ledger.limit;
    if (this.active && used < LOW) this.end();
    if (track.mediaType !== 'video') {
      if (used > VERY_HIGH) this.makeRoom(tracks(), cause);
      return true;
    }
    if (track.dropping !== undefined) {
      const lacksRoom = used > HIGH || (this.active && used > LOW);
      if (lacksRoom) return this.dropGroup(track, cause);
      if (!frame.isKey) return this.dropGroup(track, track.dropping);
      track.dropping = undefined;
      return true;
    }
    if (used > HIGH && frame.isKey) {
      this.begin();
      return this.dropGroup(track, cause);
    }
    if (used > VERY_HIGH) {
      this.begin();
      this.makeRoom(tracks(), cause);
      return this.dropGroup(track, cause);
    }
    return true;
  }

  /**
   * As {@link admits}, while no server takes anything. What is too old to be sent later goes first: see {@link
   * leaveOutOld}. Beyond the limit of the memory, older groups go before newer ones. Audio may go, too: when there is
   * no video left to drop, the older half of what waits.
   */
  admitsWaiting(track: Track, frame: Frame, tracks: () => readonly Track[]): boolean {
    this.moveWindow(track, frame);
    const isNearlyFull = this.ledger.used > this.ledger.limit * HIGH;
    if (this.limits.drops && frame.isKey && track.mediaType === 'video' && isNearlyFull)
      this.makeRoom(tracks(), 'outage');
    if (track.length >= MOST_WAITING) {
      if (track.mediaType === 'video') this.makeRoom([track], 'outage');
      else this.dropOlderHalf(track, 'outage');
    }
    if (!this.admits(track, frame, tracks, 'outage')) return false;
    if (track.mediaType === 'video' && this.ledger.left < frameCharge(frame)) {
      this.makeRoom(tracks(), 'outage');
      return this.dropGroup(track, 'outage');
    }
    if (this.ledger.used > this.ledger.limit * VERY_HIGH) {
      this.begin();
      for (const one of tracks()) if (one.mediaType === 'audio') this.dropOlderHalf(one, 'outage');
    }
    return true;
  }

  /** Where frames are not dropped any more: the group of which some were dropped is dropped to its end. */
  endsGroup(track: Track, frame: Frame): boolean {
    if (this.active && this.ledger.used < this.ledger.limit * LOW) this.end();
    if (track.dropping === undefined) return true;
    if (!frame.isKey) return this.dropGroup(track, track.dropping);
    track.dropping = undefined;
    return true;
  }

  /**
   * Drops queued frames, so that `bytes` more can be charged: video, then the older half of the audio, then all of it.
   * Returns false if that is not enough.
   */
  free(bytes: number, tracks: () => readonly Track[]): boolean {
    const all = tracks();
    this.makeRoom(all, 'slow');
    for (let i = 0; i < 8 && this.ledger.left < bytes; i++) {
      for (const one of all) if (one.mediaType === 'audio') this.dropOlderHalf(one, 'slow');
    }
    return this.ledger.left >= bytes;
  }

  /**
   * Makes room for received frames. If there is none, drops them and returns false: they must not be queued.
   *
   * @param tracks returns all tracks of the upstream
   */
  takes(track: Track, frames: readonly Frame[], tracks: () => readonly Track[]): boolean {
    const { ledger } = this;
    if (ledger.left > ledger.limit * NEARLY_FULL) return true;
    const needed = frames.reduce((sum, frame) => sum + frameCharge(frame), 0);
    if (ledger.left >= needed || this.free(needed, tracks)) return true;
    this.begin();
    for (const frame of frames) {
      frame.release();
      this.drop(track, 'slow');
    }
    if (track.mediaType === 'video') track.dropping = 'slow';
    return false;
  }

  private moveWindow(track: Track, frame: Frame): void {
    const { drops, limit } = this.limits;
    const { video, audio } = track.stream.tracks;
    // Video continues with a key frame, so nothing changes before the next one.
    const decides = track.mediaType === 'video' ? frame.isKey : video === undefined || video.length === 0;
    if (!drops || !decides) return;
    const now = this.now();
    const isOld = (one: Track | undefined): boolean =>
      one !== undefined && one.length > 0 && now - one.headArrival > limit + WINDOW_STEP;
    if (isOld(video) || isOld(audio)) leaveOutOld(track.stream, now - limit);
  }

  private dropOlderHalf(track: Track, cause: DropCause): void {
    const half = Math.ceil(track.length / 2);
    let n = 0;
    const out = track.removeUnless(() => n++ >= half);
    track.discardAll(out, cause);
    this.dropped += out.length;
  }

  /** Drops queued video: the whole groups of which no frame was written yet. */
  private makeRoom(tracks: Iterable<Track>, cause: DropCause): void {
    this.begin();
    for (const track of tracks) {
      if (track.mediaType !== 'video' || track.length === 0) continue;
      // The rest of a group that was partly written is dropped only if no whole group is queued.
      let whole = false;
      for (let i = 0; i < track.length && !whole; i++) whole = track.at(i)?.isKey === true;
      let inGroup = !whole;
      const out = track.removeUnless((frame) => {
        if (frame.isKey) inGroup = true;
        return !inGroup;
      });
      track.discardAll(out, cause);
      this.dropped += out.length;
      if (out.length > 0) track.dropping = cause;
    }
  }

  /** Drops a received frame of video, and those that follow up to a key frame. */
  private dropGroup(track: Track, cause: DropCause): false {
    track.dropping = cause;
    this.drop(track, cause);
    return false;
  }

  private drop(track: Track, cause: DropCause): void {
    track.droppedFrames++;
    if (cause === 'slow') track.slowFrames++;
    this.dropped++;
  }

  private begin(): void {
    if (this.active) return;
    this.active = true;
    this.dropped = 0;
    this.log.warn('overload: video is left out until the server has caught up (kmp_rtmp_out_overload)', {
      mem_used: this.ledger.used,
      mem_limit: this.ledger.limit,
    });
  }

  private end(): void {
    this.active = false;
    this.log.info(`the overload is over: ${this.dropped} video frames were left out`);
  }
}
