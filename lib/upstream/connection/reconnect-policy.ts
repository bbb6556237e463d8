import { PublishError } from '../../rtmp/publish-error.js';
import { STABLE_AFTER } from '../destination/backoff.js';
import type { RtmpConnection } from './rtmp-connection.js';
import type { Refusal } from '../../rtmp/server-reply.js';

/**
 * After this many refusals in sequence for an unknown reason, the next one is final. OBS Studio makes as many attempts.
 */
const DOUBTFUL_TRIES = 5;

/**
 * Decides whether a broken connection is made again (`kmp_rtmp_out_reconnects`). When this happens is decided for all
 * upstreams of a destination together ({@link DestinationBackoff}).
 */
export class ReconnectPolicy {
  /** Attempts since the last stable connection. */
  private attempts = 0;
  /** Refusals in sequence for an unknown reason. */
  private doubtful = 0;

  /**
   * @param limit attempts in sequence (`kmp_rtmp_out_reconnects`)
   * @param now monotonic ms
   */
  constructor(
    private readonly limit: number,
    private readonly now: () => number,
  ) {}

  /** True while attempts are made to restore a connection that broke. */
  get isRetrying(): boolean {
    return this.attempts > 0;
  }

  /** The server has confirmed a publish. */
  published(): void {
    this.doubtful = 0;
  }

  /** True if a further attempt is useless. Counts refusals for an unknown reason. */
  isFinal(refusal: Refusal): boolean {
    return refusal === 'final' || (refusal === 'doubtful' && ++this.doubtful >= DOUBTFUL_TRIES);
  }

  /** Whether there is another attempt after `connection` broke with `error`; counts it. */
  tryAgain(connection: RtmpConnection, error: Error): boolean {
    if (connection.publishingSince + STABLE_AFTER <= this.now()) this.attempts = 0;
    // An invalid name stays invalid.
    if (error instanceof PublishError && error.stage === 'start_resolve') return false;
    if (this.attempts >= this.limit) return false;
    this.attempts++;
    return true;
  }
}
