import type { AmfRecord, AmfValue } from './amf0/amf0-reader.js';
import type { RtmpError } from './errors.js';
import type { LimitType } from './message/control.js';

/**
 * `level`, `code` and `description` of an info object: text from the server, cut to 1024 characters; '' if missing.
 */
export interface StatusText {
  readonly level: string;
  readonly code: string;
  readonly description: string;
}

/** A message of the server that a publisher has to know. */
export type ServerEvent =
  /**
   * A command succeeded. `object` and `info` are the two values of `_result`; for createStream, `info` is the stream
   * id.
   */
  | { readonly kind: 'result'; readonly transaction: number; readonly object: AmfValue; readonly info: AmfValue }
  /** A command failed. */
  | (StatusText & { readonly kind: 'error'; readonly transaction: number; readonly info: AmfRecord | undefined })
  /** The command (connect) has to be sent to `url` instead: an `_error` with code 302. */
  | (StatusText & { readonly kind: 'redirect'; readonly transaction: number; readonly url: string })
  /** onStatus on a message stream; `streamId` 0: on the connection. */
  | (StatusText & { readonly kind: 'status'; readonly streamId: number; readonly info: AmfRecord | undefined })
  /**
   * The server asks the publisher to reconnect soon: to `tcUrl` (possibly relative), or without it to the same place.
   */
  | { readonly kind: 'reconnectRequest'; readonly tcUrl?: string; readonly description?: string }
  /** Has to be answered with `pingResponse(timestamp)`. */
  | { readonly kind: 'ping'; readonly timestamp: number }
  /** Has to be answered with `acknowledgement(sequence)`: a window of bytes was received since the last one. */
  | { readonly kind: 'ackDue'; readonly sequence: number }
  /** Window for the acknowledgements of this side, bytes. */
  | { readonly kind: 'windowAckSize'; readonly window: number }
  /**
   * Limit for unacknowledged data of this side, bytes. If `announce` is set, `windowAckSize(announce)` has to be
   * sent, since the window of this side differs.
   */
  | {
      readonly kind: 'peerBandwidth';
      readonly window: number;
      readonly limitType: LimitType;
      readonly announce: number | undefined;
    }
  /** Bytes that the server has received, modulo 2^32. */
  | { readonly kind: 'ack'; readonly sequence: number }
  | { readonly kind: 'streamBegin' | 'streamEof'; readonly streamId: number }
  /** A message that could not be parsed, and was skipped. */
  | { readonly kind: 'unreadable'; readonly error: RtmpError }
  /** The bytes cannot be parsed any further: the connection is useless. Always the last event. */
  | { readonly kind: 'broken'; readonly error: RtmpError };
