import { addBytes, NO_BYTES, type ByteCounts } from '../report/byte-counts.js';
import type { UpstreamState } from '../report/status.js';
import type { AttemptTime } from '../destination/destination-backoff.js';
import type { PublishSession } from './session.js';

/**
 * The publish sessions of an upstream: one, or one for each stream if the server supports only one stream per
 * connection.
 */
export class SessionSet {
  private readonly all = new Set<PublishSession>();
  /** Those whose streams have left for other sessions. They only end. */
  private readonly retired = new WeakSet<PublishSession>();
  /** Byte counts of closed sessions. */
  private pastBytes = NO_BYTES;
  private pastReconnects = 0;
  private pastTries = 0;
  private pastFailovers = 0;

  /** @param main the session for new streams */
  constructor(public main: PublishSession) {
    this.all.add(main);
  }

  get isEmpty(): boolean {
    return this.all.size === 0;
  }

  /** If one session reconnects or waits for its turn, that is the state of the upstream. */
  get state(): UpstreamState {
    let waits = false;
    for (const session of this.all) {
      if (this.retired.has(session)) continue;
      const { state } = session;
      if (state === 'reconnecting') return state;
      waits ||= state === 'waiting';
    }
    return waits ? 'waiting' : this.main.state;
  }

  /** ms: the largest lag of a session. */
  get lagMs(): number {
    let lag = 0;
    for (const session of this.all) if (!this.retired.has(session)) lag = Math.max(lag, session.lagMs);
    return lag;
  }

  /** The earliest time of an attempt that a session waits for. */
  get nextAttempt(): AttemptTime | undefined {
    let first: AttemptTime | undefined;
    for (const { destinations } of this.all) {
      const { nextAttempt } = destinations;
      if (nextAttempt !== undefined && !(first !== undefined && first.at <= nextAttempt.at)) first = nextAttempt;
    }
    return first;
  }

  [Symbol.iterator](): IterableIterator<PublishSession> {
    return this.all.values();
  }

  add(session: PublishSession): void {
    this.all.add(session);
  }

  /** The streams have left the present sessions; the upstream continues with `main`. The caller retires the others. */
  replaceAll(main: PublishSession): void {
    for (const session of this.all) this.retired.add(session);
    this.main = main;
    this.all.add(main);
  }

  /** The session is closed. Its counts are kept. */
  remove(session: PublishSession): void {
    if (!this.all.delete(session)) return;
    this.pastBytes = addBytes(this.pastBytes, session.connections.bytes);
    this.pastReconnects += session.reconnects;
    this.pastTries += session.destinations.record.tries;
    this.pastFailovers += session.failover.switches;
  }

  /** Closes sessions without a stream, if another session has one. */
  finishEmpty(): void {
    for (const session of this.all) {
      if (!session.streams.isEmpty) continue;
      const other = [...this.all].find((one) => !one.streams.isEmpty);
      if (other === undefined) return;
      if (session === this.main) this.main = other;
      this.retired.add(session);
      session.finish(true);
    }
  }

  /** Those that have streams, or will get some. */
  private get inUse(): PublishSession[] {
    return [...this.all].filter((session) => !this.retired.has(session));
  }

  get bytes(): ByteCounts {
    let sum = this.pastBytes;
    for (const session of this.all) sum = addBytes(sum, session.connections.bytes);
    return sum;
  }

  get reconnects(): number {
    let sum = this.pastReconnects;
    for (const session of this.all) sum += session.reconnects;
    return sum;
  }

  /** How many attempts were made to connect. */
  get tries(): number {
    let sum = this.pastTries;
    for (const session of this.all) sum += session.destinations.record.tries;
    return sum;
  }

  /** ms since 1970 of the first failure that a session has not recovered from; undefined: none has failed. */
  get failingSince(): number | undefined {
    const times = this.inUse.flatMap(({ destinations }) => destinations.record.failingSince ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** ms of the longest time in which one of the sessions was published without a break. */
  get longestPublication(): number {
    return Math.max(0, ...[...this.all].map(({ destinations }) => destinations.record.longestPublication));
  }

  get failovers(): number {
    let sum = this.pastFailovers;
    for (const session of this.all) sum += session.failover.switches;
    return sum;
  }
}
