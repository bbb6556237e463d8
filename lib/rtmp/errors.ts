import { KmpRtmpError } from '../base/errors.js';

/** The kind of error, for tests and for the choice of a close reason. The message has the details. */
export type RtmpErrorCode =
  /** The first bytes of the peer are not an RTMP handshake. */
  | 'rtmp_bad_handshake'
  /** An invalid chunk header: for example an unknown chunk stream is continued, or the chunk size is 0. */
  | 'rtmp_bad_chunk'
  /** A message body that does not fit its type. */
  | 'rtmp_bad_message'
  /** A message longer than the reader accepts. */
  | 'rtmp_message_too_big'
  /** More bytes of incomplete messages than the reader accepts. */
  | 'rtmp_too_much_held'
  /** More chunk streams than the reader accepts. */
  | 'rtmp_too_many_chunk_streams'
  /** More messages than the reader accepts in a time. */
  | 'rtmp_too_many_messages'
  /** AMF0 data that ends too early, has an unknown type, or exceeds the limits of nesting or size. */
  | 'rtmp_bad_amf'
  /** A value that AMF0, or its message, cannot carry. */
  | 'rtmp_bad_value'
  /** The server refuses the user name or password, or asks for an unknown login method. */
  | 'rtmp_auth_failed';

/** Thrown by lib/rtmp for invalid input of a peer or a caller. */
export class RtmpError extends KmpRtmpError {
  constructor(code: RtmpErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}
