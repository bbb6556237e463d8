import { systemClock, type Clock, type Timer } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { noLog, type Logger } from '../../base/logger.js';
import type { Management } from '../../upstream/report/status.js';
import type { ServiceCounters } from '../service-counters.js';
import { endedOf } from './rows.js';
import { Snapshots } from './snapshots.js';

export interface FeedOptions {
  /** Sums over all that ever was; without them, nothing is said of upstreams that live too shortly to be seen. */
  readonly counters?: ServiceCounters | undefined;
  /** ms between snapshots. Default 1000. */
  readonly interval?: number;
  /** ms between signs of life while the service does not answer. Default 15000. */
  readonly heartbeat?: number;
  /** ms for which a viewer may take nothing before it is let go. Default 30000. */
  readonly patience?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Who gets the events: an answer of Node's HTTP server, as far as the feed needs it. */
export interface Outlet {
  /** false: no more before `drain`. */
  write(bytes: Buffer): boolean;
  on(event: 'drain' | 'close', listener: () => void): unknown;
  destroy(): unknown;
}

interface Viewer {
  readonly outlet: Outlet;
  /** Since when it takes nothing, in ms of the clock; undefined: it does. */
  blockedSince: number | undefined;
  /** Whether it has all there was up to now, so that what differs is enough. */
  upToDate: boolean;
}

/**
 * Server-sent events of the service's state. Each beat takes one snapshot for all viewers and makes at most two texts of it;
 * without viewers nothing happens at all. A viewer that is slower than its events misses some and then gets the whole state: at
 * most one message of each waits in this process.
 */
export class Feed {
  private readonly viewers = new Set<Viewer>();
  private readonly snapshots = new Snapshots();
  private readonly interval: number;
  private readonly heartbeat: number;
  private readonly patience: number;
  private readonly counters: ServiceCounters | undefined;
  private readonly clock: Clock;
  private readonly log: Logger;
  private timer: Timer | undefined;
  private asking = false;
  private failing = false;
  private lastWrite = 0;
  /** The event of the snapshot's {@link Snapshots.full}: one, however many viewers begin with it or take their time over it. */
  private fullEvent: { readonly text: string; readonly bytes: Buffer } | undefined;

  constructor(
    private readonly management: Pick<Management, 'status'>,
    options: FeedOptions = {},
  ) {
    this.interval = options.interval ?? 1000;
    this.heartbeat = options.heartbeat ?? 15_000;
    this.patience = options.patience ?? 30_000;
    this.counters = options.counters;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? noLog;
  }

  get size(): number {
    return this.viewers.size;
  }

  /** Sends events to `outlet` until it closes, beginning with the state as it is known now. */
  add(outlet: Outlet): void {
    const viewer: Viewer = { outlet, blockedSince: undefined, upToDate: false };
    this.viewers.add(viewer);
    outlet.on('drain', () => {
      viewer.blockedSince = undefined;
    });
    outlet.on('close', () => this.remove(viewer));
    const full = this.full();
    if (full !== undefined) this.send(viewer, full);
    if (this.timer === undefined) this.beat();
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

  private beat(): void {
    this.timer = this.clock.after(this.interval, () => this.beat(), false);
    const now = this.clock.now();
    for (const { outlet, blockedSince } of this.viewers) {
      if (blockedSince !== undefined && now - blockedSince >= this.patience) outlet.destroy();
    }
    if (now - this.lastWrite >= this.heartbeat) this.broadcast(() => HEARTBEAT);
    // A service that is slower than the beat is not asked twice at a time.
    if (!this.asking) void this.ask();
  }

  private async ask(): Promise<void> {
    this.asking = true;
    try {
      const [status, totals] = await Promise.all([this.management.status(), this.counters?.totals()]);
      if (this.viewers.size === 0) return;
      this.publish(this.snapshots.tick(status, this.clock.now(), totals && endedOf(totals)));
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.log.error(`status page: the service does not answer: ${messageOf(error)}`, { error });
      this.failing = true;
      this.broadcast(() => TROUBLE);
    } finally {
      this.asking = false;
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
    if (!viewer.outlet.write(bytes)) viewer.blockedSince = this.lastWrite;
    if (bytes !== HEARTBEAT && bytes !== TROUBLE) viewer.upToDate = true;
  }
}

/** One event of an event stream. `data` must hold no line break; JSON never does. */
export function sseEvent(name: string, data: string): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${data}\n\n`);
}

const HEARTBEAT = Buffer.from(': still here\n\n');
const TROUBLE = sseEvent('trouble', '{}');
