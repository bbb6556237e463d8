import { Amf0Reader } from '../rtmp/amf0/amf0-reader.js';
import { writeAmf0 } from '../rtmp/amf0/amf0-writer.js';
import { RtmpError } from '../rtmp/errors.js';
import type { IngestMessage } from './ingest-stream.js';

/** FLV tag types (Adobe Flash Video File Format 10.1, E.4.1). They are the types of RTMP messages. */
const TAG_TYPES = { audio: 8, video: 9, data: 18 } as const;

const TAG_HEADER_SIZE = 11;
/** Largest size that a tag can have, in 24 bits. */
const MAX_TAG = 0xffffff;

/** Offset of the flags in {@link flvHeader}. */
export const FLV_FLAGS_AT = 4;

/** The flags byte: the kinds of tags in the file. */
export function flvFlags(hasAudio: boolean, hasVideo: boolean): number {
  return (hasAudio ? 4 : 0) | (hasVideo ? 1 : 0);
}

/** The header of the file, with the size of the tag before the first one, which is 0. */
export function flvHeader(flags: number): Buffer {
  return Buffer.from([0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]);
}

/**
 * A message as an FLV tag, in three pieces so that the payload is not copied. Empty for messages that do not belong
 * into a file: empty ones, and data that is not an event.
 *
 *     type(1) size(3) time(3) time's high byte(1) stream id(3, 0)   payload   size of all that(4)
 */
export function flvTag({ kind, timestamp, payload }: IngestMessage): Buffer[] {
  const body = kind === 'data' ? scriptData(payload) : payload;
  if (body === undefined || body.length === 0 || body.length > MAX_TAG) return [];
  const header = Buffer.alloc(TAG_HEADER_SIZE);
  header.writeUInt8(TAG_TYPES[kind], 0);
  header.writeUIntBE(body.length, 1, 3);
  header.writeUIntBE(timestamp & 0xffffff, 4, 3);
  header.writeUInt8(timestamp >>> 24, 7);
  const trailer = Buffer.alloc(4);
  trailer.writeUInt32BE(TAG_HEADER_SIZE + body.length);
  return [header, body, trailer];
}

/**
 * A data message's body as a file has it: without the order to the server ("@setDataFrame") ahead of the event, and
 * with the plain name: publishers of this kind write "@onMetaData" (docs/protocol/rtmp.md, Metadata and headers),
 * players look for "onMetaData". The values behind the name stay as they are. undefined if it has no name.
 */
export function scriptData(payload: Buffer): Buffer | undefined {
  const reader = new Amf0Reader(payload);
  try {
    let name = reader.next();
    if (name === '@setDataFrame') name = reader.next();
    if (typeof name !== 'string') return undefined;
    return Buffer.concat([writeAmf0(name === '@onMetaData' ? 'onMetaData' : name), payload.subarray(reader.offset)]);
  } catch (error) {
    if (error instanceof RtmpError) return undefined;
    throw error;
  }
}
