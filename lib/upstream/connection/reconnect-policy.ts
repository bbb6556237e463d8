import { PublishError } from '../../rtmp/publish-error.js';
import type { Refusal } from '../../rtmp/server-reply.js';

/**
 * After this many refusals in sequence for an unknown reason, the next one is final. OBS Studio makes as many attempts.
 */
const DOUBTFUL_TRIES = 5;

/**
 * Decides whether a destination is tried again after a failure (`kmp_rtmp_out_reconnects`). When this happens is
 * decided for all upstreams of a destination together ({@link DestinationBackoff}).
 */
export class ReconnectPolicy {
  /** Failures since the last stable connection. */
  failures = 0;
  /** True if a further attempt is useless. */
  private isUseless = false;
  /** Refusals in sequence for an unknown reason. */
  private doubtful = 0;

  /** @param limit attempts in sequence after the first failure (`kmp_rtmp_out_reconnects`) */
  constructor(private readonly limit: number) {}

  /** True while attempts are made to restore a connection that broke. */
  get isRetrying(): boolean {
    return this.failures > 0;
  }

  /** Whether there may be an attempt. */
  get mayTry(): boolean {
    return !this.isUseless && this.failures <= this.limit;
  }

  /** A connection was stable: a new series of attempts begins. */
  reset(): void {
    this.failures = 0;
    this.isUseless = false;
  }

  /** The server has confirmed a publish. */
  published(): void {
    this.doubtful = 0;
  }

  /** True if a further attempt is useless. Counts refusals for an unknown reason. */
  isFinal(refusal: Refusal): boolean {
    return refusal === 'final' || (refusal === 'doubtful' && ++this.doubtful >= DOUBTFUL_TRIES);
  }

  /** An attempt has failed, or a connection broke. @param isFinal a further attempt is useless */
  failed(error: Error, isFinal: boolean): void {
    this.failures++;
    // An invalid name stays invalid.
    if (isFinal || (error instanceof PublishError && error.stage === 'start_resolve')) this.isUseless = true;
  }
}
