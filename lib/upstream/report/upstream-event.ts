import type { MediaType } from '../../media/codec.js';
import type { CloseReason, NotificationReason } from './close-reason.js';

/** What every event says. Field names are those of the notification (docs/notifications.md). */
interface Explained<R extends string> {
  /** Why. A small set of words for each event, so that programs can compare it. */
  readonly reason: R;
  /** The same as a sentence for a person, without stream keys and passwords. */
  readonly message: string;
}

/** An event of one RTMP stream. */
interface OfStream {
  /** Name of the stream, as the sender gave it. Logs mask it; notifications do not. */
  readonly stream: string;
}

/** An event of the senders: of one track, of one stream, or of the whole upstream if both are absent. */
interface OfInput extends Partial<OfStream> {
  readonly track?: MediaType;
}

/**
 * Why media is missing: the sender closed its connection, or announced the end of the stream; it sent nothing for
 * `kmp_rtmp_in_read_timeout`; or it is connected, but its media has stopped.
 */
export type InputLostReason = 'input_closed' | 'end_of_stream' | 'input_timeout' | 'input_stalled';

/** What is bad: the server is behind, frames are dropped, or less goes out than comes in. */
export type DegradedReason = 'lag' | 'frames_dropped' | 'slow_output';

/** Why another destination is used: the one before failed, or lags; or the first one is tried again. */
export type FailoverReason = NotificationReason | 'lag' | 'failback';

/**
 * Something that happened to an upstream, at the moment of the report. `Upstream.report` takes one: it is then logged,
 * counted in the metrics, and sent as a notification if `kmp_rtmp_out_notif_events` names its type: one of
 * `UPSTREAM_EVENTS` in lib/base/upstream-events.ts.
 */
export type UpstreamEvent =
  /** The upstream has ended. The last event of each upstream. */
  | (Explained<CloseReason> & { readonly type: 'rtmp_close' })
  /** The RTMP connection is opened again. */
  | (Explained<NotificationReason> & { readonly type: 'rtmp_reconnect' })
  /** The server publishes a stream. `away_ms`: time since the stream was last published; 0 the first time. */
  | (Explained<'first' | 'again'> & OfStream & { readonly type: 'publish_start'; readonly away_ms: number })
  /** The server does not publish a stream any more. `published_ms`: how long it did. */
  | (Explained<CloseReason> & OfStream & { readonly type: 'publish_end'; readonly published_ms: number })
  /**
   * A stream could not be published: the server refused it, or could not be reached. In a series of failures, there is
   * one event for each change of the reason. `failures`: the length of the series so far.
   */
  | (Explained<CloseReason> & OfStream & { readonly type: 'publish_failed'; readonly failures: number })
  /** The media of senders is missing, while the destination is kept. */
  | (Explained<InputLostReason> & OfInput & { readonly type: 'input_lost' })
  /** It arrives again. The reason is that of the loss. `away_ms`: for how long it was missing. */
  | (Explained<InputLostReason> & OfInput & { readonly type: 'input_back'; readonly away_ms: number })
  /** Viewers get less than they should, or later. */
  | (Explained<DegradedReason> & {
      readonly type: 'degraded';
      /** Age of what the server has taken, ms. */
      readonly lag_ms: number;
      /** Frames dropped since it was last in order, because the server is too slow. */
      readonly dropped_frames: number;
    })
  /** The upstream is in order again. The reason is that of the last `degraded`. */
  | (Explained<DegradedReason> & {
      readonly type: 'recovered';
      readonly lag_ms: number;
      readonly dropped_frames: number;
      /** How long it was degraded, ms. */
      readonly degraded_ms: number;
    })
  /** The upstream uses another one of its destinations. */
  | (Explained<FailoverReason> & {
      readonly type: 'failover';
      /** URLs of the destinations, masked: `maskUrl`. */
      readonly from: string;
      readonly to: string;
      /** Their positions: 0 is `url` of the connect data, n its n-th backup. */
      readonly from_index: number;
      readonly to_index: number;
      /** How many there are. */
      readonly destinations: number;
    });

/** Takes the events of an upstream. */
export type ReportEvent = (event: UpstreamEvent) => void;
