import type { Clock, Timer } from '../../time/clock.js';
import type { CloseReason } from '../report/close-reason.js';
import { backoffDelay, STABLE_AFTER, type ReconnectWaits } from './backoff.js';

/** Why an attempt failed. */
export interface AttemptFailure {
  readonly reason: CloseReason;
  /** Without secrets. */
  readonly message: string;
}

/** A failure, and when it happened. */
export interface PastFailure extends AttemptFailure {
  /** Monotonic ms. */
  readonly at: number;
}

/** The time of an attempt: monotonic ms, and ms since 1970. */
export interface AttemptTime {
  readonly at: number;
  readonly wall: number;
}

/**
 * - `new`: not asked for yet;
 * - `waiting`: for its turn;
 * - `trying`: it connects, or has connected and is not published yet;
 * - `published`: it has succeeded;
 * - `over`
 */
type AttemptPhase = 'new' | 'waiting' | 'trying' | 'published' | 'over';

/** One attempt to publish at a destination, from the wish to the end of the connection. */
export class Attempt {
  phase: AttemptPhase = 'new';
  /** Monotonic ms at which its turn came. */
  startedAt = 0;

  /**
   * @param waits how long to wait if it fails
   * @param onTurn called once, when it may connect
   */
  constructor(
    readonly backoff: DestinationBackoff,
    readonly waits: ReconnectWaits,
    readonly onTurn: () => void,
  ) {}

  /** Asks for the turn; `onTurn` is called before this returns if the destination is open. */
  begin(): void {
    this.backoff.begin(this);
  }

  /** While it waits: the time of the next attempt at the destination, whichever upstream makes it. Else undefined. */
  get next(): AttemptTime | undefined {
    return this.phase === 'waiting' ? this.backoff.next : undefined;
  }

  /** The server has accepted the publish, or takes media without an answer. Called once. */
  published(): void {
    if (this.phase === 'trying') this.backoff.published(this);
  }

  /**
   * The connection could not be made, was refused, or broke.
   *
   * @param since monotonic ms at which its handshake was done; Infinity: it was not
   */
  failed(failure: AttemptFailure, since: number): void {
    if (this.phase === 'trying' || this.phase === 'published') this.backoff.failed(this, failure, since);
  }

  /** The attempt is over, and not by a failure: its upstream ends. */
  leave(): void {
    if (this.phase !== 'over') this.backoff.leave(this);
  }
}

/**
 * When a destination may be connected to, for all upstreams of the process. As long as attempts succeed, it is open.
 * After a failure it is closed off: attempts wait, and get their turns one at a time, further apart with each failure.
 * The first success opens it for all that wait.
 *
 * Connections that are published and break within a minute count as failures too, but are counted by themselves: a
 * success forgets the failures before it, and a server that accepts each publish and then hangs up is still asked less
 * and less often.
 */
export class DestinationBackoff {
  lastFailure: PastFailure | undefined;
  /** Attempts of upstreams that have not ended. */
  users = 0;
  private failures = 0;
  private shortLived = 0;
  private closed = false;
  /** The earliest time of the next attempt while it is closed off. */
  private nextTime: AttemptTime = { at: -Infinity, wall: 0 };
  /** The attempt whose turn it is while it is closed off. */
  private trying: Attempt | undefined;
  private readonly waiting = new Set<Attempt>();
  private timer: Timer | undefined;

  /**
   * @param random 0 to 1
   * @param onUnused called when the last attempt has left
   */
  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly onUnused: () => void,
  ) {}

  /** The time of the next attempt. It is past while an attempt is made. */
  get next(): AttemptTime {
    return this.nextTime;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** True if there is nothing to remember of it. */
  get isPlain(): boolean {
    return !this.closed && this.shortLived === 0;
  }

  /** An operator wants the next attempt now. */
  tryNow(): void {
    this.nextTime = { at: this.clock.now(), wall: this.clock.wall() };
    this.schedule();
  }

  begin(attempt: Attempt): void {
    this.users++;
    if (!this.closed) {
      this.start(attempt);
      return;
    }
    attempt.phase = 'waiting';
    this.waiting.add(attempt);
    this.schedule();
  }

  published(attempt: Attempt): void {
    attempt.phase = 'published';
    this.failures = 0;
    this.closed = false;
    this.trying = undefined;
    this.timer?.cancel();
    this.timer = undefined;
    const all = [...this.waiting];
    this.waiting.clear();
    // One of them may end while another one starts.
    for (const one of all) if (one.phase === 'waiting') this.start(one);
  }

  failed(attempt: Attempt, { reason, message }: AttemptFailure, since: number): void {
    const { clock } = this;
    const now = clock.now();
    const known = this.closed && this.lastFailure !== undefined && attempt.startedAt <= this.lastFailure.at;
    // Connections that were there before the last failure break for the same cause: it counts once.
    if (!known) {
      const lasted = since + STABLE_AFTER <= now;
      if (lasted) this.shortLived = 0;
      if (attempt.phase === 'published' && !lasted) this.shortLived++;
      else this.failures++;
      const { first, longest } = attempt.waits;
      const delay = backoffDelay(this.failures + this.shortLived, first, this.random, longest);
      this.nextTime = { at: now + delay, wall: clock.wall() + delay };
      this.lastFailure = { reason, message, at: now };
      this.closed = true;
    }
    this.remove(attempt);
  }

  leave(attempt: Attempt): void {
    if (attempt.phase === 'new') this.users++;
    this.remove(attempt);
  }

  private remove(attempt: Attempt): void {
    attempt.phase = 'over';
    this.waiting.delete(attempt);
    if (this.trying === attempt) this.trying = undefined;
    this.users--;
    this.schedule();
    if (this.users === 0) this.onUnused();
  }

  private start(attempt: Attempt): void {
    attempt.phase = 'trying';
    attempt.startedAt = this.clock.now();
    if (this.closed) this.trying = attempt;
    attempt.onTurn();
  }

  /** Gives the next attempt its turn, now or when it is time. */
  private schedule(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const [first] = this.waiting;
    if (!this.closed || this.trying !== undefined || first === undefined) return;
    const wait = this.nextTime.at - this.clock.now();
    if (wait > 0) {
      this.timer = this.clock.after(wait, () => this.schedule());
      return;
    }
    this.waiting.delete(first);
    this.start(first);
  }
}
