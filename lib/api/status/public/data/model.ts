import {
  changed,
  recordedEnd,
  silenceChange,
  unrecorded,
  unrecordedEnd,
  type ActivityEntry,
} from './activity-entries.js';
import { ClosedBook } from './closed-book.js';
import { Dismissed } from './dismissed.js';
import { extend, Times, type Line } from './series.js';
import { Upstream } from './upstream.js';
import type {
  Ended,
  FullMessage,
  HelloMessage,
  OrderInfo,
  PartsInfo,
  ServiceInfo,
  TickMessage,
  UpstreamRow,
} from './wire.js';

export { failed, type ActivityEntry } from './activity-entries.js';

/** After a longer pause, in ms, the charts start over, so no line crosses the gap. */
const MAX_GAP_MS = 5000;

/** Sums over all upstreams. */
export interface Totals {
  bitrateIn: number;
  bitrateOut: number;
  frames: number;
  memUsed: number;
  memLimit: number;
  dropped: number;
  reconnects: number;
}

const NO_PARTS: PartsInfo = { nodes: [], missingWorkers: [] };

/** The state of the service for the views, updated by messages. It does not use the DOM. */
export class Model {
  readonly upstreams = new Map<number, Upstream>();
  service: ServiceInfo | undefined;
  /** s */
  uptime = 0;
  /** Path of the writable API, relative to the page; null: there is none, and nothing can be dropped. */
  api: string | null = null;
  readonly times = new Times();
  totals: Totals = noTotals();
  /** Number of upstreams that have ended since the service started, by reason. */
  ended: Ended = {};
  readonly lines = { bitrateIn: [] as Line, bitrateOut: [] as Line, frames: [] as Line, memory: [] as Line };
  /** Ends of upstreams before the page was opened, the oldest first. */
  history: readonly ActivityEntry[] = [];
  /** The rows of the table: the upstreams, and failures whose upstreams are gone. */
  rows: readonly Upstream[] = [];
  /** Orders for routes, and for upstreams that are not present, the latest first. */
  orders: readonly OrderInfo[] = [];
  /** The nodes, and the workers that do not answer. */
  parts: PartsInfo = NO_PARTS;
  private t = 0;
  private now = 0;
  private feed: string | undefined;
  private readonly closed: ClosedBook;

  constructor(dismissed: Dismissed = new Dismissed()) {
    this.closed = new ClosedBook(dismissed);
  }

  hello({ feed, api }: HelloMessage): void {
    this.api = api;
    if (this.feed === feed) return;
    this.feed = feed;
    this.service = undefined;
    this.ended = {};
    this.upstreams.clear();
    this.closed.clear();
    this.history = [];
    this.rows = [];
    this.orders = [];
    this.parts = NO_PARTS;
    this.clearHistory();
  }

  /** @param now ms since 1970 */
  full(message: FullMessage, now: number): ActivityEntry[] {
    const first = this.service === undefined;
    this.service = message.service;
    this.orders = message.orders ?? [];
    this.parts = message.parts ?? NO_PARTS;
    if (message.t - this.t > MAX_GAP_MS) this.clearHistory();
    const keys = new Set(message.rows.map(({ key }) => key));
    const gone = [...this.upstreams.keys()].filter((key) => !keys.has(key));
    const happened = this.take(message, { rows: message.rows, counts: [], gone }, now);
    if (!first) return happened;
    this.history = (message.closed ?? []).map(recordedEnd).sort((a, b) => a.at - b.at);
    return [];
  }

  /** @param now ms since 1970 */
  tick(message: TickMessage, now: number): ActivityEntry[] {
    this.orders = message.orders ?? this.orders;
    this.parts = message.parts ?? this.parts;
    return this.take(message, message, now);
  }

  /** The row of an upstream: the latest one with this id, or the record of its end. */
  find(id: string): Upstream | undefined {
    return this.byId(id) ?? this.closed.find(id);
  }

  /** Hides the failure of an upstream that has ended, or the earlier failures of one that is there. */
  dismiss({ failure }: Upstream): void {
    if (failure !== undefined) this.closed.dismiss(failure);
    this.updateRows();
  }

  /** The latest upstream with this id. */
  byId(id: string): Upstream | undefined {
    return [...this.upstreams.values()].findLast(({ info }) => info.id === id);
  }

  private take(
    { t, uptime, ended: endings, sums, closed, forgotten }: Omit<TickMessage, 'rows' | 'counts' | 'gone'>,
    changes: Pick<TickMessage, 'rows' | 'counts' | 'gone'>,
    now: number,
  ): ActivityEntry[] {
    this.t = t;
    this.uptime = uptime;
    this.now = now;
    const ends = this.closed.take(closed, forgotten);
    const happened = unrecorded(this.ended, endings, ends, now);
    happened.push(...ends.map(({ record }) => recordedEnd(record)));
    const named = new Set(ends.map(({ record }) => record.id));
    this.ended = endings;
    for (const key of changes.gone) {
      const upstream = this.upstreams.get(key);
      this.upstreams.delete(key);
      if (upstream && !named.has(upstream.info.id)) happened.push(unrecordedEnd(upstream, now));
    }
    for (const row of changes.rows) happened.push(...this.row(row, t, now));
    for (const [key, numbers] of changes.counts) this.upstreams.get(key)?.count(numbers);
    this.times.add(now / 1000);
    const totals = noTotals();
    for (const upstream of this.upstreams.values()) {
      const silent = upstream.silent;
      upstream.measure(t);
      if (upstream.silent !== silent) happened.push(...silenceChange(upstream, now));
      add(totals, upstream);
    }
    this.totals = { ...totals, ...sums };
    this.updateRows();
    const rate = (value: number): number | null => (this.times.values.length > 1 ? value : null);
    extend(this.lines.bitrateIn, rate(totals.bitrateIn));
    extend(this.lines.bitrateOut, rate(totals.bitrateOut));
    extend(this.lines.frames, rate(totals.frames));
    extend(this.lines.memory, totals.memUsed);
    return happened;
  }

  private row(row: UpstreamRow, t: number, now: number): ActivityEntry[] {
    const known = this.upstreams.get(row.key);
    if (!known) {
      const upstream = new Upstream(row, t, this.times);
      this.upstreams.set(row.key, upstream);
      return [{ at: now, id: upstream.info.id, what: 'started', kind: 'plain' }];
    }
    const before = known.info;
    known.update(row, t);
    return changed(known, before, now);
  }

  private updateRows(): void {
    const live = new Set<string>();
    for (const upstream of this.upstreams.values()) {
      live.add(upstream.info.id);
      upstream.failure = this.closed.failureOf(upstream, this.now);
    }
    this.rows = [...this.upstreams.values(), ...this.closed.failures(live)];
  }

  private clearHistory(): void {
    this.times.values.length = 0;
    const all = [this, ...this.upstreams.values()];
    for (const { lines } of all) for (const line of Object.values(lines)) line.length = 0;
  }
}

function noTotals(): Totals {
  return { bitrateIn: 0, bitrateOut: 0, frames: 0, memUsed: 0, memLimit: 0, dropped: 0, reconnects: 0 };
}

function add(totals: Totals, upstream: Upstream): void {
  totals.bitrateIn += upstream.bitrateIn;
  totals.bitrateOut += upstream.bitrateOut;
  totals.frames += upstream.frames;
  totals.memUsed += upstream.memUsed;
  totals.memLimit += upstream.info.memLimit;
  totals.dropped += upstream.dropped;
  totals.reconnects += upstream.info.reconnects;
}
