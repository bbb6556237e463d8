import type { Frame } from '../../media/frame.js';
import type { LagLimits } from './lag-limits.js';
import type { DropCause, Track } from './track.js';

/** ms that written bytes need to a slow server, at the most (ServerLag writes that far ahead). */
const AHEAD = 2_000;

/**
 * Drops video that would reach the server too late (`kmp_rtmp_out_max_lag`). It decides when a frame is about to be
 * written, by the age of the frame:
 *
 * - A key frame that is too old is dropped with its group, if a later key frame waits.
 * - In the middle of a group, the rest of the group is dropped if a later key frame waits, or if the server is known to
 *   be slow. A server that only had a pause catches up by itself, and gets the whole group.
 *
 * Audio is never dropped here: it is small, and listeners notice each gap.
 */
export class LateFrames {
  /** ms: a younger frame is in time. Infinity if nothing is dropped. */
  after: number;
  private paced = false;

  constructor(private readonly limits: LagLimits) {
    this.after = limits.drops ? limits.limit : Infinity;
  }

  /** True: the server is slow, and as little as possible is written ahead. */
  set isPaced(paced: boolean) {
    const { drops, limit, usual } = this.limits;
    if (!drops || paced === this.paced) return;
    this.paced = paced;
    // The next group is dropped before the one that is being written gets too old.
    this.after = paced ? (usual + this.oldest) / 2 : limit;
  }

  /** ms: the age at which a frame still reaches the server in time. */
  private get oldest(): number {
    const { limit, usual } = this.limits;
    return this.paced ? Math.max(limit - AHEAD, usual) : limit;
  }

  /**
   * Whether `frame`, which was taken off the queue of `track` and is older than {@link after}, is dropped. The frames
   * that have to go with it are dropped here.
   */
  drops(track: Track, frame: Frame, now: number): boolean {
    if (track.mediaType !== 'video') return false;
    const { oldest, paced } = this;
    if (!frame.isKey && now - frame.arrivedAt <= oldest) return false;
    const start = laterKey(track, paced ? Infinity : now - oldest);
    if (start === undefined && (frame.isKey || !paced)) return false;
    dropUntil(track, start, 'slow');
    return true;
  }
}

/**
 * The queued key frame to continue with: the first one that arrived at `since` or later, else the last one. undefined
 * if no key frame is queued.
 *
 * @param since monotonic ms; Infinity: the last one
 */
export function laterKey(track: Track, since: number): Frame | undefined {
  let key: Frame | undefined;
  for (let i = 0; i < track.length; i++) {
    const frame = track.at(i);
    if (frame?.isKey !== true) continue;
    key = frame;
    if (frame.arrivedAt >= since) break;
  }
  return key;
}

/** Drops the queued frames before `start`; all of them, and those that follow up to a key frame, if it is undefined. */
export function dropUntil(track: Track, start: Frame | undefined, cause: DropCause): void {
  let keep = false;
  track.discardAll(
    track.removeUnless((frame) => (keep ||= frame === start)),
    cause,
  );
  if (start === undefined) track.dropping = cause;
}
