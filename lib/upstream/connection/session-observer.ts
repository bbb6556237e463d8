import type { PastFailure } from '../destination/destination-backoff.js';
import type { NotificationReason } from '../report/close-reason.js';
import type { TrackStream } from '../tracks/track.js';
import type { DeliveryOwner } from './delivery/delivery.js';
import type { FailoverObserver } from './failover/failover.js';
import type { ReplyObserver } from './server/reply-handler.js';

/** What a session reports to its upstream, and asks it. */
export interface SessionObserver extends ReplyObserver, DeliveryOwner, FailoverObserver {
  /** True if there is no sender, and none is likely to return. */
  readonly isDeserted: boolean;
  /** The server refuses a stream. Other streams may continue. */
  streamRejected(stream: TrackStream, message: string): void;
  /**
   * `stream` needs its own session: the server gave it the id of another stream, or refuses it for now. `refusal`: the
   * words of the server.
   */
  streamNeedsSession(stream: TrackStream, refusal?: string): void;
  /**
   * The connection is opened again. `message`: what was wrong with the last one, if anything was. `lost`: the streams
   * that were on it.
   */
  reconnecting(reason: NotificationReason, message?: string, lost?: readonly TrackStream[]): void;
  /** The destination is closed off: the session waits for its turn. */
  waiting(failure: PastFailure): void;
}
