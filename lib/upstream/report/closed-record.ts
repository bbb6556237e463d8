import {
  DEFAULT_CLOSED,
  isFailure,
  MAX_CLOSED,
  type ClosedQuery,
  type ClosedUpstream,
  type ClosedUpstreamReport,
} from './closed.js';

/** An upstream that was published for less than this, ms, before it failed did not recover from earlier failures. */
const RECOVERED_AFTER = 60_000;

/** Most UTF-16 units of a text in a record; senders and servers decide how long it would be. */
const MAX_TEXT = 500;

/** Most UTF-16 units of all records together. Ids are never shortened, and may be long. */
const MAX_SIZE = 2 ** 21;

/** The record of ended upstreams, of bounded size. It lives as long as the service, over reloads. */
export class ClosedRecord {
  /** By number, the one with the oldest end first. */
  private readonly records = new Map<number, ClosedUpstream>();
  /** The number of the last record of an upstream id. */
  private readonly lastOf = new Map<string, number>();
  private size = 0;
  private next = 1;

  /** @param wall ms since 1970 */
  constructor(private readonly wall: () => number) {}

  /** An upstream has ended, or could not begin. */
  add(report: ClosedUpstreamReport): void {
    const { published_ms, ...closed } = shortened(report);
    const before = this.last(closed.upstream_id);
    const failed = isFailure(closed.reason);
    const continues = before !== undefined && before.failed && failed && published_ms < RECOVERED_AFTER;
    if (continues) this.remove(before);
    const record: ClosedUpstream = {
      ...closed,
      id: this.next++,
      failed,
      count: 1,
      live_again_at: null,
      ...(continues
        ? {
            started_at: before.started_at,
            since: before.since,
            attempts: before.attempts + closed.attempts,
            count: before.count + 1,
            lost: {
              dropped_frames: before.lost.dropped_frames + closed.lost.dropped_frames,
              unacked_frames: before.lost.unacked_frames + closed.lost.unacked_frames,
            },
          }
        : {}),
    };
    this.records.set(record.id, record);
    this.lastOf.set(record.upstream_id, record.id);
    this.size += sizeOf(record);
    for (const oldest of this.records.values()) {
      if (this.records.size <= MAX_CLOSED && this.size <= MAX_SIZE) break;
      this.remove(oldest);
    }
  }

  /** An upstream with this id is published. */
  live(upstreamId: string): void {
    const last = this.last(upstreamId);
    if (last === undefined || last.live_again_at !== null) return;
    this.records.set(last.id, { ...last, live_again_at: new Date(this.wall()).toISOString() });
  }

  /** The records that fit, newest end first. */
  list({ limit = DEFAULT_CLOSED, upstreamId }: ClosedQuery = {}): ClosedUpstream[] {
    const found: ClosedUpstream[] = [];
    for (const record of [...this.records.values()].reverse()) {
      if (found.length >= limit) break;
      if (upstreamId === undefined || record.upstream_id === upstreamId) found.push(record);
    }
    return found;
  }

  private last(upstreamId: string): ClosedUpstream | undefined {
    return this.records.get(this.lastOf.get(upstreamId) ?? 0);
  }

  private remove(record: ClosedUpstream): void {
    this.records.delete(record.id);
    this.size -= sizeOf(record);
    if (this.lastOf.get(record.upstream_id) === record.id) this.lastOf.delete(record.upstream_id);
  }
}

function sizeOf({ upstream_id, url, message, advice, last_status }: ClosedUpstream): number {
  const status = last_status === null ? 0 : last_status.code.length + last_status.description.length;
  return upstream_id.length + url.length + message.length + advice.length + status;
}

function shortened(report: ClosedUpstreamReport): ClosedUpstreamReport {
  const { url, message, last_status: status } = report;
  return {
    ...report,
    url: shorten(url),
    message: shorten(message),
    last_status: status && {
      level: shorten(status.level),
      code: shorten(status.code),
      description: shorten(status.description),
    },
  };
}

function shorten(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
