import { messageOf } from '../../base/errors.js';
import type { Timer } from '../../time/clock.js';
import { reasonOf } from '../report/close-reason.js';
import { reconnectWaits, STABLE_AFTER } from '../destination/backoff.js';
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
  private attempt: Attempt | undefined;
  private settleTimer: Timer | undefined;
  private readonly name: DestinationName;

  /**
   * @param name of the stream that the session is made for, at this destination
   * @param mask removes secrets from a message
   * @param onSilentSuccess the server has taken media for so long that it counts as one that has accepted the publish
   */
  constructor(
    private readonly options: SessionOptions,
    { url, params }: Destination,
    name: string,
    private readonly mask: (text: string) => string,
    private readonly onSilentSuccess: () => void,
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

  /** The last failure at the destination, whichever upstream made the attempt. */
  get lastFailure(): PastFailure | undefined {
    return this.attempt?.backoff.lastFailure;
  }

  /** Asks for the next turn. `onTurn` is called before this returns if the destination is open. */
  request(onTurn: () => void): void {
    this.leave();
    const { destinations, settings } = this.options;
    this.attempt = destinations.attempt(this.name, reconnectWaits(settings), onTurn);
    this.attempt.begin();
  }

  /** The next attempt at the destination is made now. */
  tryNow(): void {
    this.attempt?.backoff.tryNow();
  }

  /**
   * The next attempt at the destination is made now, although its wait is not over. Without effect if an attempt failed
   * less than the shortest wait ago.
   */
  tryEarly(): void {
    const { attempt } = this;
    const failedAt = this.lastFailure?.at ?? -Infinity;
    if (attempt !== undefined && failedAt + attempt.waits.first <= this.options.clock.now()) attempt.backoff.tryNow();
  }

  /** The handshake of `connection` is done. If the server does not say that it accepts the publish, time tells. */
  handshakeDone(connection: RtmpConnection): void {
    this.settleAfter(connection, SILENT_SUCCESS);
  }

  /** The server has accepted the publish. */
  published(): void {
    this.settleTimer?.cancel();
    this.everPublished = true;
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
    destinations.fail({ ...this.name, name }, reconnectWaits(settings), failure);
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
        this.onSilentSuccess();
      }
    };
    this.settleTimer = this.options.clock.after(ms, check, false);
  }
}
