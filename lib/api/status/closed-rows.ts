import type { ClosedUpstream } from '../../upstream/report/closed.js';
import { shortenId } from './rows.js';
import type { ClosedInfo } from './public/data/wire.js';

/** Most failures that the page shows, and most ends in order. */
const MAX_FAILED = 200;
const MAX_IN_ORDER = 100;

/** The data of a record for the page. Its texts are masked and shortened already. */
export function closedInfo(closed: ClosedUpstream, record = closed.id): ClosedInfo {
  return {
    record,
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
    ...(closed.node === undefined ? {} : { node: closed.node }),
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
  /** The numbers that the records of a fleet have here: those of the nodes are unique within a node only. */
  private numbers = new Map<string, number>();
  private lastNumber = 0;

  /** All that the page has to know, the oldest first. */
  get all(): ClosedInfo[] {
    return [...this.sent].map(([number, one]) => closedInfo(one, number));
  }

  /** @param records the last end first */
  changes(records: readonly ClosedUpstream[]): { closed?: ClosedInfo[]; forgotten?: number[] } {
    const before = this.sent;
    this.sent = this.numbered(shown(records).reverse());
    const closed = [...this.sent].filter(
      ([number, one]) => before.get(number)?.live_again_at !== one.live_again_at || !before.has(number),
    );
    const forgotten = [...before.keys()].filter((number) => !this.sent.has(number));
    return {
      ...(closed.length === 0 ? {} : { closed: closed.map(([number, one]) => closedInfo(one, number)) }),
      ...(forgotten.length === 0 ? {} : { forgotten }),
    };
  }

  clear(): void {
    this.sent.clear();
    this.numbers.clear();
  }

  private numbered(records: readonly ClosedUpstream[]): Map<number, ClosedUpstream> {
    const numbers = new Map<string, number>();
    const found = new Map<number, ClosedUpstream>();
    for (const one of records) {
      if (one.node === undefined) {
        found.set(one.id, one);
        continue;
      }
      const key = `${one.node}/${one.id}`;
      const number = this.numbers.get(key) ?? ++this.lastNumber;
      numbers.set(key, number);
      found.set(number, one);
    }
    this.numbers = numbers;
    return found;
  }
}
