import { KmpRtmpError } from '../base/errors.js';

/** What can be wrong with KMP input; each is the `code` of a {@link KmpError}. */
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

/** Where in the packets a {@link KmpError} happened. */
export interface KmpErrorPlace {
  /** The field's name (docs/protocol/kmp.md, Packet), e.g. `header_size`. */
  readonly field: string;
  /** The value that was refused. */
  readonly value: number | bigint | string;
  /** The packet's four letters. */
  readonly packetType: string;
  /** Byte of the connection (or dump) at which the packet starts, if it was read from one. */
  readonly offset?: number | undefined;
}

/**
 * Input that is not valid KMP (docs/protocol/kmp.md, Packet). The message names the packet type, the field, its value and what would
 * have been allowed; peer, channel and track are known to whoever owns the connection, and are for them to add.
 */
export class KmpError extends KmpRtmpError {
  /** The field's name (docs/protocol/kmp.md, Packet). */
  readonly field: string;
  /** The value that was refused. */
  readonly value: number | bigint | string;
  /** The packet's four letters, or what stood in their place; empty if they had not come. */
  readonly packetType: string;
  /** Byte of the connection (or dump) at which the packet starts; undefined if the error was not met while reading. */
  readonly offset: number | undefined;

  /** @param allowed what would have been right, and a hint at what to do */
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
