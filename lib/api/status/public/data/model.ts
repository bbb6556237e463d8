import { isDown } from './order.js';
import { extend, Times, type Line } from './series.js';
import { Upstream } from './upstream.js';
import type { Ended, FullMessage, HelloMessage, ServiceInfo, TickMessage, UpstreamRow } from './wire.js';

/** After a longer pause, in ms, the charts start over, so no line crosses the gap. */
const MAX_GAP_MS = 5000;

/** A change of an upstream. */
export interface ActivityEntry {
  /** ms since 1970 */
  readonly at: number;
  readonly id: string;
  readonly what: string;
  readonly kind: 'good' | 'bad' | 'plain';
}

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
  private t = 0;
  private feed: string | undefined;

  hello({ feed, api }: HelloMessage): void {
    this.api = api;
    if (this.feed === feed) return;
    this.feed = feed;
    this.service = undefined;
    this.ended = {};
    this.upstreams.clear();
    this.clearHistory();
  }

  /** @param now ms since 1970 */
  full(message: FullMessage, now: number): ActivityEntry[] {
    const first = this.service === undefined;
    this.service = message.service;
    if (message.t - this.t > MAX_GAP_MS) this.clearHistory();
    const keys = new Set(message.rows.map(({ key }) => key));
    const gone = [...this.upstreams.keys()].filter((key) => !keys.has(key));
    const happened = this.take(message, { rows: message.rows, counts: [], gone }, now);
    return first ? [] : happened;
  }

  /** @param now ms since 1970 */
  tick(message: TickMessage, now: number): ActivityEntry[] {
    return this.take(message, message, now);
  }

  /** The latest upstream with this id. */
  byId(id: string): Upstream | undefined {
    return [...this.upstreams.values()].findLast(({ info }) => info.id === id);
  }

  private take(
    { t, uptime, ended: endings }: Pick<TickMessage, 't' | 'uptime' | 'ended'>,
    changes: Pick<TickMessage, 'rows' | 'counts' | 'gone'>,
    now: number,
  ): ActivityEntry[] {
    this.t = t;
    this.uptime = uptime;
    const happened = failures(this.ended, endings, now);
    this.ended = endings;
    for (const key of changes.gone) {
      const upstream = this.upstreams.get(key);
      this.upstreams.delete(key);
      if (upstream) happened.push(ended(upstream, now));
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
    this.totals = totals;
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

  private clearHistory(): void {
    this.times.values.length = 0;
    const all = [this, ...this.upstreams.values()];
    for (const { lines } of all) for (const line of Object.values(lines)) line.length = 0;
  }
}

/** Reasons that are not failures. */
const EXPECTED_REASONS: ReadonlySet<string> = new Set(['done', 'api_delete', 'shutdown']);

/** The number of failures in `ended`. */
export function failed(ended: Ended): number {
  const counts = Object.entries(ended).map(([reason, count]) => (EXPECTED_REASONS.has(reason) ? 0 : count));
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * New failures. They include upstreams that ended between two messages, for example at a destination that refuses
 * connections.
 */
function failures(before: Ended, after: Ended, at: number): ActivityEntry[] {
  return Object.entries(after).flatMap(([reason, count]) => {
    const more = count - (before[reason] ?? 0);
    if (more <= 0 || EXPECTED_REASONS.has(reason)) return [];
    const id = more === 1 ? 'An upstream' : `${more} upstreams`;
    return [{ at, id, what: `failed: ${reason}`, kind: 'bad' as const }];
  });
}

function ended({ info }: Upstream, at: number): ActivityEntry {
  const last = info.lastStatus;
  const what = last === null ? 'ended' : `ended; last message of the server: ${last.code || last.description}`;
  return { at, id: info.id, what, kind: last?.level === 'error' ? 'bad' : 'plain' };
}

function silenceChange({ info: { id, state }, silent }: Upstream, at: number): ActivityEntry[] {
  if (silent) return [{ at, id, what: 'receives nothing from its senders', kind: 'bad' }];
  // If the state has changed, the change of state is reported instead.
  return state === 'publishing' ? [{ at, id, what: 'receives media again', kind: 'good' }] : [];
}

function changed({ info }: Upstream, before: Upstream['info'], at: number): ActivityEntry[] {
  const { id } = info;
  const happened: ActivityEntry[] = [];
  if (info.state !== before.state) {
    const kind = info.state === 'publishing' ? 'good' : isDown(info.state) ? 'bad' : 'plain';
    const why = isDown(info.state) && info.lastError !== null ? `: ${info.lastError}` : '';
    happened.push({ at, id, what: `is ${info.state}${why}`, kind });
  }
  const last = info.lastStatus;
  if (last !== null && last.code !== before.lastStatus?.code) {
    const kind = last.level === 'error' ? 'bad' : 'plain';
    happened.push({ at, id, what: `server: ${last.code}: ${last.description}`, kind });
  }
  return happened;
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
