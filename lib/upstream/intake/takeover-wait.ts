import type { Clock } from '../../time/clock.js';
import { TrackTaken } from '../tracks/track-refused.js';

/** ms between two looks at whether the sender that was there before is gone. */
const LOOK_AGAIN = 20;

/** After so many intervals each connection has been read, one that brings little too. */
const READ_WITHIN = 2;

/** ms beyond that until a connection that was cut is known to be: it is read first, then closed. */
const NOTICED_AFTER = 100;

/**
 * Where a sender waits whose track has one already. One whose connection was cut is back before the socket of that is read
 * again: turned away, it would come too late, its upstream have ended, and the group be sent twice.
 */
export class TakeoverWait {
  private since: number | undefined;

  /** @param readInterval ms (`kmp_rtmp_in_read_interval`); 0: a cut is noticed at once, and nothing is waited for */
  constructor(
    private readonly clock: Clock,
    private readonly readInterval: number,
  ) {}

  /** Calls `again` in a moment if `error` says that the track is taken; false: it says another thing, or will not change. */
  waits(error: unknown, again: () => void): boolean {
    const { clock, readInterval } = this;
    if (!(error instanceof TrackTaken) || readInterval === 0) return false;
    this.since ??= clock.now();
    if (clock.now() - this.since >= READ_WITHIN * readInterval + NOTICED_AFTER) return false;
    clock.after(LOOK_AGAIN, again, false);
    return true;
  }
}
