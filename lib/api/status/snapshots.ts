import type { ClosedUpstream } from '../../upstream/report/closed.js';
import type { StandingOrder } from '../../upstream/report/orders.js';
import type { GlobalStatus, UpstreamStatus } from '../../upstream/report/status.js';
import type {
  Ended,
  FullMessage,
  PartsInfo,
  Sums,
  TickMessage,
  UpstreamInfo,
  UpstreamRow,
} from './public/data/wire.js';
import { ClosedRows } from './closed-rows.js';
import { partsOf } from './parts.js';
import { OrderRows } from './order-rows.js';
import { serviceInfo, upstreamInfo, upstreamNumbers } from './rows.js';
import { sameInfo } from './same-info.js';

/** What was last sent about an upstream, and the status that it was created from. */
interface SentUpstream {
  readonly key: number;
  readonly status: UpstreamStatus;
  readonly info: UpstreamInfo;
  readonly numbers: readonly number[];
}

/** What a snapshot has beside the status. */
export interface SnapshotExtras {
  readonly closed?: readonly ClosedUpstream[] | undefined;
  readonly orders?: readonly StandingOrder[] | undefined;
  readonly sums?: Sums | undefined;
}

const NO_PARTS: PartsInfo = { nodes: [], missingWorkers: [] };

/**
 * Converts snapshots to messages: differences for viewers that have the previous state, and the full state for the
 * others.
 */
export class Snapshots {
  private sent = new Map<string, SentUpstream>();
  private readonly closed = new ClosedRows();
  private readonly orders = new OrderRows();
  private nextKey = 1;
  private partsText = JSON.stringify(NO_PARTS);
  private latest: Omit<FullMessage, 'rows'> | undefined;
  private fullText: string | undefined;

  /**
   * Processes a snapshot.
   *
   * @param t ms, monotonic
   * @param ended upstreams that have ended, by reason
   * @param more how they have ended, the last end first, and sums since the start
   * @returns the {@link TickMessage} as JSON
   */
  tick(
    status: GlobalStatus,
    t: number,
    ended: Ended = {},
    { closed = [], orders = [], sums }: SnapshotExtras = {},
  ): string {
    const rows: UpstreamRow[] = [];
    const counts: [number, readonly number[]][] = [];
    const before = this.sent;
    this.sent = new Map();
    for (const [id, upstream] of Object.entries(status.upstreams)) {
      const old = before.get(id);
      // The same id with another connection, or on another node, is another upstream, whose counters start at 0.
      const same = old?.status.connection === upstream.connection && old.status.node === upstream.node;
      const told = same && sameInfo(old.status, upstream);
      const now: SentUpstream = {
        key: same ? old.key : this.nextKey++,
        status: upstream,
        info: told ? old.info : upstreamInfo(id, upstream),
        numbers: upstreamNumbers(upstream),
      };
      this.sent.set(id, now);
      if (same) before.delete(id);
      if (!told) rows.push(rowOf(now));
      else if (now.numbers.some((number, index) => number !== old.numbers[index])) counts.push([now.key, now.numbers]);
    }
    const gone = [...before.values()].map(({ key }) => key);
    const { uptime } = status;
    const totals = sums === undefined ? {} : { sums };
    const changes = { ...this.closed.changes(closed), ...this.orders.changes(orders, status.upstreams) };
    const parts = this.partsOf(status);
    this.latest = { t, uptime, service: serviceInfo(status), ended, ...totals, ...parts.all };
    this.fullText = undefined;
    const message: TickMessage = { t, uptime, ended, ...totals, ...changes, ...parts.changed, rows, counts, gone };
    return JSON.stringify(message);
  }

  /** For the full message, and for the differences. */
  private partsOf(status: GlobalStatus): Record<'all' | 'changed', { readonly parts?: PartsInfo }> {
    const parts = partsOf(status);
    const text = JSON.stringify(parts ?? NO_PARTS);
    const isChanged = text !== this.partsText;
    this.partsText = text;
    return { all: parts === undefined ? {} : { parts }, changed: isChanged ? { parts: parts ?? NO_PARTS } : {} };
  }

  /** The {@link FullMessage} of the last snapshot as JSON, created once; undefined before the first snapshot. */
  full(): string | undefined {
    if (this.latest === undefined) return undefined;
    if (this.fullText === undefined) {
      const closed = this.closed.all;
      const message: FullMessage = {
        ...this.latest,
        ...(closed.length === 0 ? {} : { closed }),
        ...(this.orders.all.length === 0 ? {} : { orders: this.orders.all }),
        rows: [...this.sent.values()].map(rowOf),
      };
      this.fullText = JSON.stringify(message);
    }
    return this.fullText;
  }

  /** Forgets everything when the last viewer leaves. Keys are never reused. */
  clear(): void {
    this.sent.clear();
    this.closed.clear();
    this.orders.clear();
    this.partsText = JSON.stringify(NO_PARTS);
    this.latest = undefined;
    this.fullText = undefined;
  }
}

function rowOf({ key, status, info, numbers }: SentUpstream): UpstreamRow {
  return { key, info, uptime: status.uptime, numbers };
}
