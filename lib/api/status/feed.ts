import { systemClock, type Clock, type Timer } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { noLog, type Logger } from '../../base/logger.js';
import { MAX_CLOSED } from '../../upstream/report/closed.js';
import type { Management } from '../../upstream/report/status.js';
import type { ServiceCounters } from '../metrics/service-counters.js';
import { endedOf, sumsOf } from './rows.js';
import { Snapshots } from './snapshots.js';

/**
 * What the page needs from the service. Without `closed`, it does not show how upstreams have ended. Without `orders`,
 * it does not show orders for upstreams that are not present.
 */
export type StatusSource = Pick<Management, 'status'> & Partial<Pick<Management, 'closed' | 'orders'>>;

export interface FeedOptions {
  /** Totals including ended upstreams; without them, upstreams that end between two snapshots are not reported. */
  readonly counters?: ServiceCounters | undefined;
  /** ms between snapshots. Default 1000. */
  readonly interval?: number;
  /** ms between heartbeats while the service does not answer. Default 15000. */
  readonly heartbeat?: number;
  /** ms after which a viewer that does not read is disconnected. Default 30000. */
  readonly viewerTimeout?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** The connection to a viewer: the part of an HTTP response that the feed uses. */
export interface ViewerConnection {
  /** Returns false if the viewer must not be written to before `drain`. */
  write(bytes: Buffer): boolean;
  on(event: 'drain' | 'close', listener: () => void): unknown;
  destroy(): unknown;
}

interface Viewer {
  readonly connection: ViewerConnection;
  /** Time at which it stopped reading, in ms of the clock; undefined: it reads. */
  blockedSince: number | undefined;
  /** Whether it has the complete current state, so that differences are sufficient. */
  upToDate: boolean;
}

/**
 * Sends the state of the service as server-sent events. Each interval takes one snapshot for all viewers and creates at
 * most two texts from it. Without viewers there are no snapshots. A viewer that is too slow misses events and then gets
 * the full state, so at most one message for each viewer is queued in this process.
 */
export class Feed {
  private readonly viewers = new Set<Viewer>();
  private readonly snapshots = new Snapshots();
  private readonly interval: number;
  private readonly heartbeat: number;
  private readonly viewerTimeout: number;
  private readonly counters: ServiceCounters | undefined;
  private readonly clock: Clock;
  private readonly log: Logger;
  private timer: Timer | undefined;
  private snapshotPending = false;
  private failing = false;
  private lastWrite = 0;
  /** The event of {@link Snapshots.full}, shared by all viewers that begin with it. */
  private fullEvent: { readonly text: string; readonly bytes: Buffer } | undefined;

  constructor(
    private readonly management: StatusSource,
    options: FeedOptions = {},
  ) {
    this.interval = options.interval ?? 1000;
    this.heartbeat = options.heartbeat ?? 15_000;
    this.viewerTimeout = options.viewerTimeout ?? 30_000;
    this.counters = options.counters;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? noLog;
  }

  get size(): number {
    return this.viewers.size;
  }

  /** Sends events to `connection` until it closes, beginning with the current state. */
  add(connection: ViewerConnection): void {
    const viewer: Viewer = { connection, blockedSince: undefined, upToDate: false };
    this.viewers.add(viewer);
    connection.on('drain', () => {
      viewer.blockedSince = undefined;
    });
    connection.on('close', () => this.remove(viewer));
    const full = this.full();
    if (full !== undefined) this.send(viewer, full);
    if (this.timer === undefined) this.onInterval();
  }

  private remove(viewer: Viewer): void {
    this.viewers.delete(viewer);
    if (this.viewers.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
    this.snapshots.clear();
    this.fullEvent = undefined;
  }

  private full(): Buffer | undefined {
    const text = this.snapshots.full();
    if (text === undefined) return undefined;
    if (this.fullEvent?.text !== text) this.fullEvent = { text, bytes: sseEvent('full', text) };
    return this.fullEvent.bytes;
  }

  private onInterval(): void {
    this.timer = this.clock.after(this.interval, () => this.onInterval(), false);
    const now = this.clock.now();
    for (const { connection, blockedSince } of this.viewers) {
      if (blockedSince !== undefined && now - blockedSince >= this.viewerTimeout) connection.destroy();
    }
    if (now - this.lastWrite >= this.heartbeat) this.broadcast(() => HEARTBEAT);
    // There is at most one snapshot at a time, even if the service is slower than the interval.
    if (!this.snapshotPending) void this.takeSnapshot();
  }

  private async takeSnapshot(): Promise<void> {
    this.snapshotPending = true;
    try {
      const [status, totals] = await Promise.all([this.management.status(), this.counters?.totals()]);
      // Asked after the status: for an upstream that the status lacks, the record is there.
      const closed = await this.management.closed?.({ limit: MAX_CLOSED });
      const orders = await this.management.orders?.();
      if (this.viewers.size === 0) return;
      const extras = { closed, orders, sums: totals && sumsOf(totals) };
      this.publish(this.snapshots.tick(status, this.clock.now(), totals && endedOf(totals), extras));
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.log.error(`status page: the service does not answer: ${messageOf(error)}`, { error });
      this.failing = true;
      this.broadcast(() => TROUBLE_EVENT);
    } finally {
      this.snapshotPending = false;
    }
  }

  private publish(tickText: string): void {
    let tick: Buffer | undefined;
    this.broadcast((viewer) => {
      const full = viewer.upToDate ? undefined : this.full();
      return full ?? (tick ??= sseEvent('tick', tickText));
    });
  }

  private broadcast(bytesFor: (viewer: Viewer) => Buffer): void {
    for (const viewer of this.viewers) {
      if (viewer.blockedSince === undefined) this.send(viewer, bytesFor(viewer));
      else viewer.upToDate = false;
    }
  }

  private send(viewer: Viewer, bytes: Buffer): void {
    this.lastWrite = this.clock.now();
    if (!viewer.connection.write(bytes)) viewer.blockedSince = this.lastWrite;
    if (bytes !== HEARTBEAT && bytes !== TROUBLE_EVENT) viewer.upToDate = true;
  }
}

/** One event of an event stream. `data` must not contain a line break; JSON never does. */
export function sseEvent(name: string, data: string): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${data}\n\n`);
}

const HEARTBEAT = Buffer.from(': heartbeat\n\n');
const TROUBLE_EVENT = sseEvent('trouble', '{}');
