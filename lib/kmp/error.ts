import { KmpRtmpError } from '../base/errors.js';

/**
 * Kinds of invalid KMP input: the `code` of a {@link KmpError}.
 */
export type KmpErrorCode =
  | 'kmp_unknown_type'
  | 'kmp_wrong_direction'
  | 'kmp_bad_header_size'
  | 'kmp_bad_data_size'
  | 'kmp_connect_expected'
  | 'kmp_second_connect'
  | 'kmp_bad_frame_id'
  | 'kmp_bad_media_type'
  | 'kmp_bad_timescale'
  | 'kmp_bad_connect_data'
  | 'kmp_bad_id'
  | 'kmp_truncated';

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
