import type { Clock } from '../../time/clock.js';
import { TrackTaken } from '../tracks/track-refused.js';

/** ms between two checks whether the previous sender is gone. */
const LOOK_AGAIN = 20;

/** The number of intervals in which each connection is read, even one that brings little. */
const READ_WITHIN = 2;

/** The additional time, ms, until a cut connection is noticed: it is read first, then closed. */
const NOTICED_AFTER = 100;

/**
 * Lets a sender wait if its track has a sender already. A sender whose connection was cut may reconnect before the old
 * socket is read again. If it were refused, it might return too late: its upstream would have ended, and the group
 * would be sent twice.
 */
export class TakeoverWait {
  private since: number | undefined;

  /** @param readInterval ms (`kmp_rtmp_in_read_interval`, the longest); 0: a cut is noticed at once: no sender waits */
  constructor(
    private readonly clock: Clock,
    private readonly readInterval: number,
  ) {}

  /**
   * Calls `again` in a moment if `error` says that the track is taken. Returns false for any other error, or if waiting
   * cannot help.
   */
  waits(error: unknown, again: () => void): boolean {
    const { clock, readInterval } = this;
    if (!(error instanceof TrackTaken) || readInterval === 0) return false;
    this.since ??= clock.now();
    if (clock.now() - this.since >= READ_WITHIN * readInterval + NOTICED_AFTER) return false;
    clock.after(LOOK_AGAIN, again, false);
    return true;
  }
}
