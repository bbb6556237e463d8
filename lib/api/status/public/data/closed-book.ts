import type { Dismissed } from './dismissed.js';
import { Ended } from './ended.js';
import type { Upstream } from './upstream.js';
import type { ClosedInfo } from './wire.js';

/** ms: an upstream that failed less than this ago, and is published again, does not count as recovered yet. */
const FLAPPING = 60_000;

/** A new end in the records. */
export interface NewEnd {
  readonly record: ClosedInfo;
  /** How many upstreams ended since the record before. */
  readonly more: number;
}

/** How upstreams have ended: the last record of each id, and the rows that failures have in the table. */
export class ClosedBook {
  private readonly latest = new Map<string, ClosedInfo>();
  private readonly rows = new Map<string, Ended>();
  private nextKey = -1;

  constructor(private readonly dismissed: Dismissed) {}

  /** Takes the changes of a message. @returns the new ends, the oldest first */
  take(closed: readonly ClosedInfo[] = [], forgotten: readonly number[] = []): NewEnd[] {
    const ends: NewEnd[] = [];
    for (const record of closed) {
      const before = this.latest.get(record.id);
      if (before !== undefined && before.record > record.record) continue;
      this.latest.set(record.id, record);
      if (before?.record === record.record) continue;
      const continues = before !== undefined && before.startedAt === record.startedAt;
      ends.push({ record, more: continues ? record.count - before.count : record.count });
    }
    const gone = new Set(forgotten);
    for (const [id, { record }] of this.latest) if (gone.has(record)) this.latest.delete(id);
    return ends;
  }

  clear(): void {
    this.latest.clear();
    this.rows.clear();
  }

  /** The row of an upstream that has ended; undefined if there is no record of it. */
  find(id: string): Ended | undefined {
    const record = this.latest.get(id);
    if (record === undefined) return undefined;
    let row = this.rows.get(id);
    if (row === undefined) this.rows.set(id, (row = new Ended(this.nextKey--, record)));
    row.become(record);
    return row;
  }

  /**
   * The rows of the failures that nobody has dismissed, and whose upstreams are not there.
   *
   * @param live ids of the upstreams that are there
   */
  failures(live: ReadonlySet<string>): Ended[] {
    const found: Ended[] = [];
    for (const [id, record] of this.latest) {
      if (live.has(id) || record.liveAgainAt !== null || !this.isOpen(record)) continue;
      const row = this.find(id);
      if (row !== undefined) found.push(row);
    }
    return found;
  }

  /** The failures that an upstream has not recovered from. @param now ms since 1970 */
  failureOf({ info }: Upstream, now: number): ClosedInfo | undefined {
    const record = this.latest.get(info.id);
    if (record === undefined || !this.isOpen(record)) return undefined;
    if (info.state !== 'publishing' && record.liveAgainAt === null) return record;
    return record.count > 1 && now - Date.parse(record.closedAt) < FLAPPING ? record : undefined;
  }

  dismiss({ id, closedAt }: ClosedInfo): void {
    this.dismissed.add(id, closedAt);
  }

  private isOpen({ id, closedAt, failed }: ClosedInfo): boolean {
    return failed && !this.dismissed.has(id, closedAt);
  }
}
