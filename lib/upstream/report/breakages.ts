import type { Clock } from '../../time/clock.js';
import type { CloseReason } from './close-reason.js';
import type { Publications } from './publications.js';
import type { ReportEvent } from './upstream-event.js';

/** Why the RTMP connection last broke. */
export interface Breakage {
  readonly reason: CloseReason;
  /** Without stream keys and passwords. */
  readonly message: string;
  /** Monotonic ms. */
  readonly at: number;
  /** The same, ms since 1970. */
  readonly wall: number;
}

/** How the RTMP connections of an upstream break. It reports each time, and keeps the last one for the status. */
export class Breakages {
  last: Breakage | undefined;

  constructor(
    private readonly clock: Pick<Clock, 'now' | 'wall'>,
    private readonly publications: Pick<Publications, 'lost'>,
    private readonly report: ReportEvent,
  ) {}

  /** A connection broke, or could not be opened. `streams`: the names of those that were on it. */
  broken(reason: CloseReason, message: string, streams: readonly string[]): void {
    for (const name of streams) this.publications.lost(name, reason, message);
    this.keep(reason, message, this.clock.now());
    this.report({ type: 'rtmp_reconnect', reason, message });
  }

  /** The server asks for another connection. That is no fault. */
  asked(): void {
    this.report({
      type: 'rtmp_reconnect',
      reason: 'reconnect_request',
      message: 'the server asks for another connection',
    });
  }

  /** The destination failed before, for other upstreams. `at`: monotonic ms. */
  before(reason: CloseReason, message: string, at: number): void {
    this.keep(reason, message, at);
  }

  /** The destination has changed: what happened at the old one does not count for it. */
  forget(): void {
    this.last = undefined;
  }

  private keep(reason: CloseReason, message: string, at: number): void {
    const { clock } = this;
    this.last = { reason, message, at, wall: clock.wall() - (clock.now() - at) };
  }
}
