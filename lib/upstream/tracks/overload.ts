import type { Frame } from '../../media/frame.js';
import type { Logger } from '../../base/logger.js';
import type { Ledger } from './ledger.js';
import type { Track } from './track.js';

/** Share of the memory limit above which new groups of pictures are left out. */
const HIGH = 0.75;
/** Share above which the group that is coming in goes too, and whole groups that wait. */
const VERY_HIGH = 0.9;
/** Share below which groups are let in again. */
const LOW = 0.5;

/**
 * `kmp_rtmp_out_overload drop_frames`: when memory runs out, video goes in whole groups, from a key frame to the next, and
 * audio never. An episode begins above {@link HIGH} and ends below {@link LOW}; each is one warning in the log.
 */
export class Overload {
  private active = false;
  private dropped = 0;

  constructor(
    private readonly ledger: Ledger,
    private readonly log: Logger,
  ) {}

  /**
   * Whether a received frame goes on to its track. Called before it is charged; what is queued may be dropped to make room.
   *
   * @param tracks all tracks of the upstream
   */
  admits(track: Track, frame: Frame, tracks: Iterable<Track>): boolean {
    const { ledger } = this;
    const used = ledger.used / ledger.limit;
    if (this.active && used < LOW) this.end();
    if (track.mediaType !== 'video') {
      if (used > VERY_HIGH) this.makeRoom(tracks);
      return true;
    }
    if (track.dropping) {
      if (!frame.isKey || used > HIGH || (this.active && used > LOW)) return this.drop(track);
      track.dropping = false;
      return true;
    }
    if (used > HIGH && frame.isKey) {
      this.begin();
      track.dropping = true;
      return this.drop(track);
    }
    if (used > VERY_HIGH) {
      this.begin();
      this.makeRoom(tracks);
      track.dropping = true;
      return this.drop(track);
    }
    return true;
  }

  /** Drops what waits of video: the groups that have not begun to go out, whole. */
  private makeRoom(tracks: Iterable<Track>): void {
    this.begin();
    for (const track of tracks) {
      if (track.mediaType !== 'video' || track.length === 0) continue;
      // What is left of a group that has begun to go out is let go only if there is no whole group.
      let whole = false;
      for (let i = 0; i < track.length && !whole; i++) whole = track.at(i)?.isKey === true;
      let inGroup = !whole;
      const out = track.filter((frame) => {
        if (frame.isKey) inGroup = true;
        return !inGroup;
      });
      for (const frame of out) track.discard(frame);
      this.dropped += out.length;
      if (out.length > 0) track.dropping = true;
    }
  }

  private drop(track: Track): false {
    track.droppedFrames++;
    this.dropped++;
    return false;
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
