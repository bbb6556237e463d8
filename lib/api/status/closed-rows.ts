import type { ClosedUpstream } from '../../upstream/report/closed.js';
import { shortenId } from './rows.js';
import type { ClosedInfo } from './public/data/wire.js';

/** Most failures that the page shows, and most ends in order. */
const MAX_FAILED = 200;
const MAX_IN_ORDER = 100;

/** The data of a record for the page. Its texts are masked and shortened already. */
export function closedInfo(closed: ClosedUpstream): ClosedInfo {
  return {
    record: closed.id,
    ...shortenId(closed.upstream_id),
    url: closed.url,
    reason: closed.reason,
    message: closed.message,
    advice: closed.advice,
    layer: closed.layer,
    failed: closed.failed,
    lastStatus: closed.last_status,
    startedAt: closed.started_at,
    since: closed.since,
    closedAt: closed.closed_at,
    attempts: closed.attempts,
    count: closed.count,
    dropped: closed.lost.dropped_frames,
    unacked: closed.lost.unacked_frames,
    liveAgainAt: closed.live_again_at,
  };
}

/** The records that the page shows: a part of `all`, in its order. Failures are not displaced by ends in order. */
function shown(all: readonly ClosedUpstream[]): ClosedUpstream[] {
  let failed = 0;
  let inOrder = 0;
  return all.filter((one) => (one.failed ? ++failed <= MAX_FAILED : ++inOrder <= MAX_IN_ORDER));
}

/** Finds the differences between the records of one snapshot and the next. */
export class ClosedRows {
  private sent = new Map<number, ClosedUpstream>();

  /** All that the page has to know, the oldest first. */
  get all(): ClosedInfo[] {
    return [...this.sent.values()].map(closedInfo);
  }

  /** @param records the last end first */
  changes(records: readonly ClosedUpstream[]): { closed?: ClosedInfo[]; forgotten?: number[] } {
    const before = this.sent;
    this.sent = new Map(
      shown(records)
        .reverse()
        .map((one) => [one.id, one]),
    );
    const closed = [...this.sent.values()].filter(
      (one) => before.get(one.id)?.live_again_at !== one.live_again_at || !before.has(one.id),
    );
    const forgotten = [...before.keys()].filter((id) => !this.sent.has(id));
    return {
      ...(closed.length === 0 ? {} : { closed: closed.map(closedInfo) }),
      ...(forgotten.length === 0 ? {} : { forgotten }),
    };
  }

  clear(): void {
    this.sent.clear();
  }
}
