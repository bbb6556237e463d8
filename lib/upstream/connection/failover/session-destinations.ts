import { messageOf } from '../../../base/errors.js';
import { STABLE_AFTER } from '../../destination/backoff.js';
import type { AttemptTime, PastFailure } from '../../destination/destination-backoff.js';
import { reasonOf } from '../../report/close-reason.js';
import type { FailoverReason } from '../../report/upstream-event.js';
import type { TrackStream } from '../../tracks/track.js';
import type { Destination } from '../destination.js';
import { AttemptRecord } from './attempt-record.js';
import { ReconnectPolicy } from '../reconnect-policy.js';
import type { RtmpConnection } from '../rtmp-connection.js';
import { Turns, type SessionOptions } from '../turns.js';

/** One of the destinations of a session: when it may be tried, and how often. */
export interface SessionDestination {
  readonly destination: Destination;
  readonly turns: Turns;
  readonly policy: ReconnectPolicy;
}

/** What is done with a failure. */
export interface FailureKind {
  /** The session had nothing more to send. */
  readonly closing?: boolean;
  /** A further attempt at this destination is useless. */
  readonly isFinal?: boolean;
}

/** Why another destination is used: the failure of the one before, or the return to the first one. */
export interface FailoverCause {
  readonly reason: FailoverReason;
  /** Without stream keys. */
  readonly message: string;
}

/**
 * The destinations of a session: the primary one and its backups (docs/failover.md). When one fails, the next that may
 * be tried at once is tried. If none may, the session waits for the first that may be tried again. But if a stable
 * connection breaks, the wait of each other destination is cut short once: it may take the stream by now.
 */
export class SessionDestinations {
  readonly all: readonly SessionDestination[];
  readonly record: AttemptRecord;
  /** The destination that is in use, or is tried. */
  current: SessionDestination;
  /** True from a wait for a turn until an attempt succeeds. */
  hasWaited = false;
  /** The first failure since a destination was in use. */
  cause: FailoverCause | undefined;
  /** Destinations that are tried once before their wait is over, because a stable connection to another one broke. */
  private readonly early = new Set<SessionDestination>();
  /** Where the next series of attempts begins. */
  private next: number;
  private readonly now: () => number;

  /**
   * @param names the name of the session's stream at each destination
   * @param first index of the destination to begin with
   */
  constructor(
    options: SessionOptions,
    destinations: readonly Destination[],
    names: readonly string[],
    private readonly mask: (text: string) => string,
    first: number,
  ) {
    const { settings, clock } = options;
    this.now = () => clock.now();
    this.record = new AttemptRecord(clock);
    this.all = destinations.map((destination, index) => ({
      destination,
      turns: new Turns(options, destination, names[index] ?? destination.streamName, mask, () => this.published()),
      policy: new ReconnectPolicy(settings.outReconnects),
    }));
    const begin = this.all[first] ?? this.all[0];
    if (begin === undefined) throw new Error('a session needs a destination');
    this.current = begin;
    this.next = begin.destination.index;
  }

  get hasBackups(): boolean {
    return this.all.length > 1;
  }

  /** True if another destination may be tried when the current one fails. */
  get hasOthers(): boolean {
    return this.all.some((one) => one !== this.current && one.policy.mayTry);
  }

  /** True while attempts are made to restore a connection that broke. */
  get isRetrying(): boolean {
    return this.all.some(({ policy }) => policy.isRetrying);
  }

  /** True if the session has published at any of them. */
  get everPublished(): boolean {
    return this.all.some(({ turns }) => turns.everPublished);
  }

  /** True if the stream has failed at the current destination a moment ago, here or in another upstream. */
  isClosedOff(stream: TrackStream): boolean {
    const { turns, destination } = this.current;
    return turns.isClosedOff(stream.nameAt(destination.index));
  }

  /** The current destination refuses the stream, which may be one of several on its connection. */
  streamFailed(stream: TrackStream, error: Error): void {
    const { turns, destination } = this.current;
    turns.streamFailed(stream.nameAt(destination.index), error);
  }

  /** The earliest time of an attempt that the session waits for. */
  get nextAttempt(): AttemptTime | undefined {
    let first: AttemptTime | undefined;
    for (const { turns } of this.all) {
      if (turns.next !== undefined && !(first !== undefined && first.at <= turns.next.at)) first = turns.next;
    }
    return first;
  }

  /** The last failure at the current destination, whichever upstream made the attempt. */
  get lastFailure(): PastFailure | undefined {
    return this.current.turns.lastFailure;
  }

  /**
   * Asks for the next turn at any of them. `onTurn` is called before this returns if one of them is open. From then on,
   * that one is the current one.
   */
  request(onTurn: () => void): void {
    this.leave();
    const order = this.order();
    let hasTurn = false;
    for (const one of order) {
      one.turns.request(() => {
        hasTurn = true;
        this.record.begun();
        this.use(one);
        onTurn();
      });
      if (hasTurn) return;
    }
    for (const one of order) {
      if (this.early.delete(one)) one.turns.tryEarly();
      if (hasTurn) return;
    }
    this.hasWaited = true;
  }

  /** `one` is the current destination from now on. The others are not waited for any more. */
  use(one: SessionDestination): void {
    // The session did not even try the destinations that others have failed at.
    this.cause ??= one === this.current ? undefined : this.current.turns.lastFailure;
    this.current = one;
    for (const other of this.all) if (other !== one) other.turns.leave();
  }

  /** The server has accepted the publish. */
  published(): void {
    this.current.policy.published();
    this.current.turns.published();
    this.record.published();
    this.early.clear();
    this.hasWaited = false;
  }

  /** `connection` to the current destination failed. Returns false if there is no further attempt anywhere. */
  failed(connection: RtmpConnection, error: Error, { closing = false, isFinal = false }: FailureKind = {}): boolean {
    const { turns, policy, destination } = this.current;
    turns.failed(connection, error, closing);
    this.record.failed();
    if (connection.publishingSince + STABLE_AFTER <= this.now()) {
      for (const one of this.all) {
        one.policy.reset();
        if (one !== this.current) this.early.add(one);
      }
    }
    policy.failed(error, isFinal);
    this.cause ??= { reason: reasonOf(error), message: this.mask(messageOf(error)) };
    this.next = (destination.index + 1) % this.all.length;
    return this.all.some((one) => one.policy.mayTry);
  }

  /**
   * Whether a stream that the current destination refuses, beside others that it takes, may be tried again by a session
   * of its own. Counts the refusal.
   */
  retriesAlone(connection: RtmpConnection, error: Error, isFinal: boolean): boolean {
    const { policy } = this.current;
    if (connection.publishingSince + STABLE_AFTER <= this.now()) policy.reset();
    if (!isFinal) policy.failed(error, false);
    return this.hasOthers || (!isFinal && policy.mayTry);
  }

  /** What happens after a failure, for the log. */
  get plan(): string {
    return this.hasOthers ? 'another destination is tried' : `next attempt in ${this.current.turns.delay} ms`;
  }

  /** The next attempt is made now. */
  tryNow(): void {
    for (const { turns } of this.all) turns.tryNow();
  }

  /** The session ends, or does not want a turn any more. */
  leave(): void {
    for (const { turns } of this.all) turns.leave();
  }

  /** Those that may be tried, in the order in which they are. */
  private order(): SessionDestination[] {
    const { all, next } = this;
    return [...all.slice(next), ...all.slice(0, next)].filter(({ policy }) => policy.mayTry);
  }
}
