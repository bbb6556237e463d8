import type { MediaInfo } from '../media/media-info.js';
import { KmpError } from './error.js';
import type { ConnectPacket } from './packet.js';
import { ID_SIZE, INVALID_FRAME_ID, PACKET_HEADER_SIZE, packetTypeName, PacketType } from './packet.js';

/** The fields of the `cnct` header, without the connect data. */
export type ConnectFields = Omit<ConnectPacket, 'kind' | 'data'>;

/**
 * A {@link MediaInfo} without its private data, which has not arrived yet.
 */
export type MediaInfoFields = WithoutExtraData<MediaInfo>;
type WithoutExtraData<T> = T extends unknown ? Omit<T, 'extraData'> : never;

/**
 * Reads an i64 as a double: exact within 2^53 of zero, rounded beyond. (A dts of 2^53 at 90 kHz is 3170 years.) No
 * BigInt, because this runs twice per frame.
 */
export function readI64(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at);
}

/** Text up to the first NUL, or the whole field. */
function readId(bytes: Buffer, at: number): string {
  const field = bytes.subarray(at, at + ID_SIZE);
  const nul = field.indexOf(0);
  return field.toString('utf8', 0, nul === -1 ? ID_SIZE : nul);
}

/**
 * Reads the `cnct` header.
 *
 * @param at where the fields of the type begin in `bytes`; offsets in the code are those of the table in packet.ts
 *   minus 16
 * @param offset offset of the packet in the connection, for the error
 * @throws KmpError kmp_bad_frame_id
 */
export function readConnectFields(bytes: Buffer, at: number, offset: number): ConnectFields {
  const start = at - PACKET_HEADER_SIZE;
  const initialFrameId = bytes.readBigUInt64LE(start + 80);
  if (initialFrameId === INVALID_FRAME_ID) {
    const place = { field: 'initial_frame_id', value: initialFrameId, packetType: 'cnct', offset };
    throw new KmpError('kmp_bad_frame_id', place, 'any id but 2^64-1 is allowed');
  }
  return {
    channelId: readId(bytes, start + 16),
    trackId: readId(bytes, start + 48),
    initialFrameId,
    initialUpstreamFrameId: bytes.readBigUInt64LE(start + 88),
    initialOffset: bytes.readUInt32LE(start + 96),
    flags: bytes.readUInt32LE(start + 100),
  };
}

/**
 * Reads the `minf` header. Parameters as of {@link readConnectFields}.
 *
 * @throws KmpError kmp_bad_media_type, kmp_bad_timescale
 */
export function readMediaInfoFields(bytes: Buffer, at: number, offset: number): MediaInfoFields {
  const start = at - PACKET_HEADER_SIZE;
  const mediaType = bytes.readUInt32LE(start + 16);
  const timescale = bytes.readUInt32LE(start + 24);
  const packetType = packetTypeName(PacketType.mediaInfo);
  if (mediaType > 1) {
    const place = { field: 'media_type', value: mediaType, packetType, offset };
    throw new KmpError('kmp_bad_media_type', place, 'only 0 (video) and 1 (audio) can be published over RTMP');
  }
  if (timescale === 0) {
    const place = { field: 'timescale', value: timescale, packetType, offset };
    throw new KmpError('kmp_bad_timescale', place, 'it must be above 0, usually 90000');
  }
  const codecId = bytes.readUInt32LE(start + 20);
  const bitrate = bytes.readUInt32LE(start + 28);
  if (mediaType === 0) {
    return {
      mediaType: 'video',
      codecId,
      timescale,
      bitrate,
      width: bytes.readUInt16LE(start + 32),
      height: bytes.readUInt16LE(start + 34),
      frameRateNum: bytes.readUInt32LE(start + 36),
      frameRateDenom: bytes.readUInt32LE(start + 40),
      ceaCaptions: bytes.readUInt32LE(start + 44),
    };
  }
  return {
    mediaType: 'audio',
    codecId,
    timescale,
    bitrate,
    channels: bytes.readUInt16LE(start + 32),
    bitsPerSample: bytes.readUInt16LE(start + 34),
    sampleRate: bytes.readUInt32LE(start + 36),
    channelLayout: bytes.readBigUInt64LE(start + 40),
  };
}
