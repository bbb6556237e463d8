import { createHash } from 'node:crypto';
import type { Clock } from '../../time/clock.js';
import type { ReconnectWaits } from './backoff.js';
import { Attempt, DestinationBackoff, type AttemptFailure } from './destination-backoff.js';

/** A destination that nobody uses is remembered for this long, ms, after the time of its next attempt. */
const FORGET_AFTER = 60_000;

/** Most destinations that are remembered although nobody uses them: senders choose them. */
const MAX_UNUSED = 1000;

/** What makes two upstreams have the same destination. */
export interface DestinationName {
  readonly host: string;
  readonly port: number;
  readonly app: string;
  /** Name of the stream. */
  readonly name: string;
}

/** The backoffs of all destinations of this process. */
export class Destinations {
  private readonly byKey = new Map<string, DestinationBackoff>();
  /** Keys of those that no upstream uses, the longest unused first. */
  private readonly unused = new Set<string>();

  /** @param random 0 to 1; for the lengths of waits */
  constructor(
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  /** How many destinations are known. */
  get size(): number {
    return this.byKey.size;
  }

  /**
   * A new attempt to publish at a destination.
   *
   * @param waits how long to wait after failures
   * @param onTurn called once, when it may connect
   */
  attempt(destination: DestinationName, waits: ReconnectWaits, onTurn: () => void): Attempt {
    return new Attempt(this.of(keyOf(destination)), waits, onTurn);
  }

  /** Something failed at a destination that is no attempt of its own: it is closed off, if it was open. */
  fail(destination: DestinationName, waits: ReconnectWaits, failure: AttemptFailure): void {
    const attempt = this.attempt(destination, waits, () => attempt.failed(failure, Infinity));
    attempt.begin();
    attempt.leave();
  }

  /** True if an attempt would have to wait for its turn. */
  isClosedOff(destination: DestinationName): boolean {
    const key = keyOf(destination);
    const known = this.byKey.get(key);
    return known !== undefined && !(this.unused.has(key) && this.isForgotten(known)) && known.isClosed;
  }

  private isForgotten({ next }: DestinationBackoff): boolean {
    return next.at + FORGET_AFTER <= this.clock.now();
  }

  private of(key: string): DestinationBackoff {
    const known = this.byKey.get(key);
    const isUnused = this.unused.delete(key);
    if (known !== undefined && !(isUnused && this.isForgotten(known))) return known;
    const fresh = new DestinationBackoff(this.clock, this.random, () => this.leave(key, fresh));
    this.byKey.set(key, fresh);
    return fresh;
  }

  private leave(key: string, backoff: DestinationBackoff): void {
    if (this.byKey.get(key) !== backoff) return;
    if (backoff.isPlain) {
      this.byKey.delete(key);
      return;
    }
    this.unused.add(key);
    const [oldest] = this.unused;
    if (this.unused.size <= MAX_UNUSED || oldest === undefined) return;
    this.unused.delete(oldest);
    this.byKey.delete(oldest);
  }
}

/** A hash, since names may be long, and are secret. A query is left out: it often is a token that is new each time. */
function keyOf({ host, port, app, name }: DestinationName): string {
  const parts = [host.toLowerCase(), port, withoutQuery(app), withoutQuery(name)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

function withoutQuery(text: string): string {
  return text.replace(/\?.*$/s, '');
}
