import { IN_ORDER, type CloseReason } from './close-reason.js';
import type { ReportEvent } from './upstream-event.js';

interface Publication {
  /** Monotonic ms since when the server has published the stream; undefined while it does not. */
  since: number | undefined;
  /** Monotonic ms at which it was last published; undefined before the first time. */
  until: number | undefined;
  /** Failures since it was last published. */
  failures: number;
  /** The reason that was reported last, of these failures. */
  reported: CloseReason | undefined;
}

/**
 * Which streams of an upstream are published. It reports each change: `publish_start`, `publish_end`, `publish_failed`.
 */
export class Publications {
  private readonly streams = new Map<string, Publication>();

  /** @param now monotonic ms */
  constructor(
    private readonly report: ReportEvent,
    private readonly now: () => number,
  ) {}

  /** The server publishes the stream. */
  started(stream: string): void {
    const publication = this.of(stream);
    if (publication.since !== undefined) return;
    const now = this.now();
    const { until } = publication;
    Object.assign(publication, { since: now, failures: 0, reported: undefined });
    const again = until !== undefined;
    this.report({
      type: 'publish_start',
      reason: again ? 'again' : 'first',
      message: again ? 'the server publishes the stream again' : 'the server publishes the stream',
      stream,
      away_ms: again ? Math.round(now - until) : 0,
    });
  }

  /** The connection of the stream broke, or the server refused the stream. There may be another attempt. */
  lost(stream: string, reason: CloseReason, message: string): void {
    const publication = this.of(stream);
    const { since } = publication;
    if (since !== undefined) {
      const now = this.now();
      Object.assign(publication, { since: undefined, until: now });
      this.report({ type: 'publish_end', reason, message, stream, published_ms: Math.round(now - since) });
      return;
    }
    publication.failures++;
    if (publication.reported === reason || IN_ORDER.has(reason)) return;
    publication.reported = reason;
    this.report({ type: 'publish_failed', reason, message, stream, failures: publication.failures });
  }

  /** The stream has ended, for whatever reason. */
  ended(stream: string, reason: CloseReason, message: string): void {
    this.lost(stream, reason, message);
    this.streams.delete(stream);
  }

  private of(stream: string): Publication {
    let publication = this.streams.get(stream);
    if (publication === undefined) {
      publication = { since: undefined, until: undefined, failures: 0, reported: undefined };
      this.streams.set(stream, publication);
    }
    return publication;
  }
}
