import type { AmfRecord, AmfValue } from './amf0-reader.js';
import type { RtmpError } from './errors.js';
import type { LimitType } from './message/control.js';

/** `level`, `code` and `description` of an info object: text of the server's, cut to 1024 characters; '' if missing. */
export interface StatusText {
  readonly level: string;
  readonly code: string;
  readonly description: string;
}

/** What a server said, of interest to a publisher. */
export type ServerEvent =
  /** A command succeeded. `object` and `info` are the two values that `_result` has; createStream's `info` is the id. */
  | { readonly kind: 'result'; readonly transaction: number; readonly object: AmfValue; readonly info: AmfValue }
  /** A command failed. */
  | (StatusText & { readonly kind: 'error'; readonly transaction: number; readonly info: AmfRecord | undefined })
  /** A command (connect) is to be sent to `url` instead: an `_error` with code 302. */
  | (StatusText & { readonly kind: 'redirect'; readonly transaction: number; readonly url: string })
  /** onStatus on a message stream; `streamId` 0: of the connection. */
  | (StatusText & { readonly kind: 'status'; readonly streamId: number; readonly info: AmfRecord | undefined })
  /** The server wants the publisher elsewhere, soon: to `tcUrl` (maybe relative) or, without it, to where it is. */
  | { readonly kind: 'reconnectRequest'; readonly tcUrl?: string; readonly description?: string }
  /** To be answered with `pingResponse(timestamp)`. */
  | { readonly kind: 'ping'; readonly timestamp: number }
  /** To be answered with `acknowledgement(sequence)`: a window's worth of bytes has come since the last one. */
  | { readonly kind: 'ackDue'; readonly sequence: number }
  /** The server's window for our acknowledgements, bytes. */
  | { readonly kind: 'windowAckSize'; readonly window: number }
  /**
   * The server's limit for what we have under way, bytes. `announce`: to be answered with `windowAckSize(announce)`, since
   * our window is not that yet.
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
  /** A message that could not be understood, and was passed over. */
  | { readonly kind: 'unreadable'; readonly error: RtmpError }
  /** The bytes cannot be followed any further: the connection is of no use. Always the last event. */
  | { readonly kind: 'broken'; readonly error: RtmpError };
