import { KmpRtmpError } from '../base/errors.js';

/**
 * Kinds of invalid KMP input: the `code` of a {@link KmpError}.
 */
export type KmpErrorCode =
  | 'KMP_UNKNOWN_TYPE'
  | 'KMP_WRONG_DIRECTION'
  | 'KMP_BAD_HEADER_SIZE'
  | 'KMP_BAD_DATA_SIZE'
  | 'KMP_CONNECT_EXPECTED'
  | 'KMP_SECOND_CONNECT'
  | 'KMP_BAD_FRAME_ID'
  | 'KMP_BAD_MEDIA_TYPE'
  | 'KMP_BAD_TIMESCALE'
  | 'KMP_BAD_CONNECT_DATA'
  | 'KMP_BAD_ID'
  | 'KMP_TRUNCATED';

/** The place of an error in the packets. */
export interface KmpErrorPlace {
  /** The field's name (docs/protocol/kmp.md, Packet), e.g. `header_size`. */
  readonly field: string;
  /** The value that was refused. */
  readonly value: number | bigint | string;
  /** The four letters of the packet type. */
  readonly packetType: string;
  /** Offset of the packet in the connection or dump, bytes; undefined if it was not read from one. */
  readonly offset?: number | undefined;
}

/**
 * Input that is not valid KMP (docs/protocol/kmp.md, Packet). The message names the packet type, the field, its value
 * and the allowed values. The owner of the connection adds the peer, the channel and the track.
 */
export class KmpError extends KmpRtmpError {
  /** The field's name (docs/protocol/kmp.md, Packet). */
  readonly field: string;
  /** The value that was refused. */
  readonly value: number | bigint | string;
  /** The four letters of the packet type, or the bytes in their place; empty if they have not arrived. */
  readonly packetType: string;
  /** Offset of the packet in the connection or dump, bytes; undefined if the error did not occur while reading. */
  readonly offset: number | undefined;

  /**
   * @param allowed the allowed values, and a hint at what to do
   */
  constructor(code: KmpErrorCode, place: KmpErrorPlace, allowed: string, options?: { cause?: unknown }) {
    const where = place.offset === undefined ? '' : ` at byte ${place.offset}`;
    const packet = place.packetType === '' ? 'KMP packet' : `KMP packet "${place.packetType}"`;
    super(code, `${packet}${where}: ${place.field} is ${place.value}; ${allowed}`, options);
    this.field = place.field;
    this.value = place.value;
    this.packetType = place.packetType;
    this.offset = place.offset;
  }
}
