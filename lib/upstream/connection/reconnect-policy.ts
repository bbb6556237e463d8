import { PublishError } from '../../rtmp/publish-error.js';
import type { Backoff } from '../../time/backoff.js';
import { reconnectBackoff, STABLE_AFTER } from './backoff.js';
import type { RtmpConnection } from './rtmp-connection.js';

/** Decides whether and when a broken connection is opened again (`kmp_rtmp_out_reconnects`). */
export class ReconnectPolicy {
  private readonly backoff: Backoff;

  /**
   * @param interval ms, the first wait (`kmp_rtmp_out_reconnect_interval`)
   * @param limit attempts in sequence (`kmp_rtmp_out_reconnects`)
   * @param now monotonic ms
   */
  constructor(
    interval: number,
    limit: number,
    private readonly now: () => number,
  ) {
    this.backoff = reconnectBackoff(interval, limit);
  }

  /** True while attempts are made to restore a connection that broke. */
  get isRetrying(): boolean {
    return this.backoff.attempts > 0;
  }

  /** ms to wait before the next attempt; undefined: there is no further attempt. */
  delayAfter(connection: RtmpConnection, error: Error): number | undefined {
    if (connection.publishingSince + STABLE_AFTER <= this.now()) this.backoff.reset();
    // An invalid name stays invalid.
    if (error instanceof PublishError && error.stage === 'start_resolve') return undefined;
    return this.backoff.next();
  }
}
