import type { Link } from './session.js';
import type { UpstreamState, UpstreamStatus } from '../report/status.js';

/** What is counted of connections. */
export const TRAFFIC = ['written_bytes', 'sent_bytes', 'received_bytes', 'acked_bytes', 'reconnects'] as const;
type Traffic = Pick<UpstreamStatus, (typeof TRAFFIC)[number]>;

/** The RTMP connections of an upstream: one, or one for each stream where the server wants that. */
export class Links {
  private readonly all = new Set<Link>();
  /** What went over those that are no more. */
  private past: Traffic = { written_bytes: 0, sent_bytes: 0, received_bytes: 0, acked_bytes: 0, reconnects: 0 };

  /** @param main the one that new streams go to */
  constructor(public main: Link) {
    this.all.add(main);
  }

  get isEmpty(): boolean {
    return this.all.size === 0;
  }

  /** One that comes back from a break says so for all. */
  get state(): UpstreamState {
    for (const link of this.all) if (link.state === 'reconnecting') return link.state;
    return this.main.state;
  }

  [Symbol.iterator](): IterableIterator<Link> {
    return this.all.values();
  }

  add(link: Link): void {
    this.all.add(link);
  }

  /** It is over; what went over it goes on counting. */
  remove(link: Link): void {
    if (!this.all.delete(link)) return;
    this.past = plus(this.past, link);
  }

  /** No stream goes by `link` any more, but others live: it is closed. */
  close(link: Link): void {
    for (const other of this.all) if (link === this.main && other !== link) this.main = other;
    if (link !== this.main) link.finish();
  }

  /** Over all that there ever were. */
  traffic(): Traffic {
    let sums = this.past;
    for (const link of this.all) sums = plus(sums, link);
    return sums;
  }
}

function plus(sums: Traffic, { traffic, reconnects }: Link): Traffic {
  return {
    written_bytes: sums.written_bytes + traffic.writtenBytes,
    sent_bytes: sums.sent_bytes + traffic.sentBytes,
    received_bytes: sums.received_bytes + traffic.receivedBytes,
    acked_bytes: sums.acked_bytes + traffic.ackedBytes,
    reconnects: sums.reconnects + reconnects,
  };
}
