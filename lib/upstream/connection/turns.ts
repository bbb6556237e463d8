import { messageOf } from '../../base/errors.js';
import type { Timer } from '../../time/clock.js';
import { reasonOf } from '../report/close-reason.js';
import { STABLE_AFTER } from '../destination/backoff.js';
import type { Attempt, AttemptTime, PastFailure } from '../destination/destination-backoff.js';
import type { DestinationName, Destinations } from '../destination/destinations.js';
import type { Destination } from './destination.js';
import type { RtmpConnection, RtmpConnectionOptions } from './rtmp-connection.js';

/**
 * A server that says nothing has accepted the publish if the connection has lasted for this long after its handshake,
 * ms.
 */
const SILENT_SUCCESS = 10_000;

export interface SessionOptions extends RtmpConnectionOptions {
  readonly destinations: Destinations;
}

/**
 * The attempts of one session at its destination, one after the other: when they may begin, and what became of them.
 */
export class Turns {
  /** True once an attempt has succeeded. */
  everPublished = false;
  /** True from a wait for a turn until an attempt succeeds. */
  hasWaited = false;
  /** How many attempts were made in this series: up to the first success, or from the one that broke on. */
  tries = 0;
  /** ms since 1970 of the first failure since the last success; undefined: there was none. */
  failingSince: number | undefined;
  /** Monotonic ms of the last success, if nothing has failed since then. */
  private publishedSince: number | undefined;
  private longest = 0;
  private attempt: Attempt | undefined;
  private settleTimer: Timer | undefined;
  private readonly name: DestinationName;

  /**
   * @param name of the stream that the session is made for
   * @param mask removes secrets from a message
   */
  constructor(
    private readonly options: SessionOptions,
    { url, params }: Destination,
    name: string,
    private readonly mask: (text: string) => string,
  ) {
    this.name = { host: url.host, port: url.port, app: params.app, name };
  }

  /** The time of the next attempt at the destination while the session waits. */
  get next(): AttemptTime | undefined {
    return this.attempt?.next;
  }

  /** ms until the destination may be tried again. */
  get delay(): number {
    const at = this.attempt?.backoff.next.at ?? 0;
    return Math.max(0, Math.round(at - this.options.clock.now()));
  }

  /** ms of the longest time in which it was published without a break. */
  get longestPublication(): number {
    const { publishedSince, longest } = this;
    return publishedSince === undefined ? longest : Math.max(longest, this.options.clock.now() - publishedSince);
  }

  /** The last failure at the destination, whichever upstream made the attempt. */
  get lastFailure(): PastFailure | undefined {
    return this.attempt?.backoff.lastFailure;
  }

  /** Asks for the next turn. `onTurn` is called before this returns if the destination is open. */
  request(onTurn: () => void): void {
    this.leave();
    const { destinations, settings } = this.options;
    this.attempt = destinations.attempt(this.name, settings.outReconnectInterval, () => {
      this.tries++;
      onTurn();
    });
    this.attempt.begin();
    if (this.attempt.phase === 'waiting') this.hasWaited = true;
  }

  /** The handshake of `connection` is done. If the server does not say that it accepts the publish, time tells. */
  handshakeDone(connection: RtmpConnection): void {
    this.settleAfter(connection, SILENT_SUCCESS);
  }

  /** The server has accepted the publish. */
  published(): void {
    this.settleTimer?.cancel();
    this.everPublished = true;
    this.hasWaited = false;
    this.failingSince = undefined;
    this.publishedSince ??= this.options.clock.now();
    this.attempt?.published();
  }

  /**
   * The connection could not be made, was refused, or broke.
   *
   * @param closing the session had nothing more to send: a server may then close the connection as soon as it has
   *   published
   */
  failed(connection: RtmpConnection, error: Error, closing = false): void {
    this.settleTimer?.cancel();
    const { attempt } = this;
    this.longest = this.longestPublication;
    // The attempts before the success do not count any more, but the connection that has broken does.
    if (this.publishedSince !== undefined) this.tries = 1;
    this.failingSince ??= this.options.clock.wall();
    this.publishedSince = undefined;
    if (attempt === undefined) return;
    // Without effect if there was no connection.
    if (attempt.phase === 'trying') connection.penalizeAddress();
    if (closing && attempt.phase === 'published') attempt.leave();
    else attempt.failed({ reason: reasonOf(error), message: this.mask(messageOf(error)) }, connection.publishingSince);
  }

  /**
   * The server refuses a stream, which may be one of several on a connection that goes on: its destination has failed.
   */
  streamFailed(name: string, error: Error): void {
    const { destinations, settings } = this.options;
    const failure = { reason: reasonOf(error), message: this.mask(messageOf(error)) };
    destinations.fail({ ...this.name, name }, settings.outReconnectInterval, failure);
  }

  /** True if the stream of that name has failed a moment ago. */
  isClosedOff(name: string): boolean {
    return this.options.destinations.isClosedOff({ ...this.name, name });
  }

  /** The session ends, or does not want the turn any more. */
  leave(): void {
    this.settleTimer?.cancel();
    this.attempt?.leave();
  }

  private settleAfter(connection: RtmpConnection, ms: number): void {
    this.settleTimer?.cancel();
    const check = (): void => {
      if (connection.isOver) return;
      if (connection.connectAnswer === 'accepted' && ms < STABLE_AFTER) {
        this.settleAfter(connection, STABLE_AFTER);
      } else {
        this.published();
      }
    };
    this.settleTimer = this.options.clock.after(ms, check, false);
  }
}
