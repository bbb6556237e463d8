import { KmpRtmpError } from '../base/errors.js';

/** What went wrong, for tests and for the choice of a close reason. The message carries the particulars. */
export type RtmpErrorCode =
  /** The peer's first bytes are not an RTMP handshake. */
  | 'bad_handshake'
  /** A chunk header that no sender may write (unknown chunk stream continued, chunk size 0 ...). */
  | 'bad_chunk'
  /** A message body that does not fit its type. */
  | 'bad_message'
  /** A message longer than the reader accepts. */
  | 'message_too_big'
  /** More bytes of unfinished messages than the reader accepts. */
  | 'too_much_held'
  /** More chunk streams than the reader accepts. */
  | 'too_many_chunk_streams'
  /** More messages than a peer of this kind has to say. */
  | 'too_many_messages'
  /** AMF0 data that ends too early, names an unknown type, or is nested or large beyond the limits. */
  | 'bad_amf'
  /** A value that AMF0, or the message it is for, cannot carry. */
  | 'bad_value'
  /** The server refuses the user name or password, or asks for a method that is not known. */
  | 'auth_failed';

/** Thrown by everything below lib/rtmp for what a peer sent or a caller asked for. */
export class RtmpError extends KmpRtmpError {
  constructor(code: RtmpErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}
