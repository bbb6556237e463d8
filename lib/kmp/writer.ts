import type { MediaInfo } from '../media/media-info.js';
import { KmpError } from './error.js';
import { HeaderSize, ID_SIZE, MAX_DATA_SIZE, PACKET_HEADER_SIZE, packetTypeName, PacketType } from './packet.js';

/**
 * Parameters of {@link writeConnect}.
 */
export interface ConnectOptions {
  /** At most 32 bytes of UTF-8. */
  readonly channelId: string;
  /** At most 32 bytes of UTF-8. */
  readonly trackId: string;
  /** Id of the first frame that will follow. Default 0. */
  readonly initialFrameId?: bigint;
  /** Default 0. */
  readonly initialUpstreamFrameId?: bigint;
  /** Default 0. */
  readonly initialOffset?: number;
  /** Default 0. */
  readonly flags?: number;
  /** Connect data: JSON, as text or as bytes. */
  readonly data: string | Buffer;
}

/** The header fields of a `fram` packet; a `Frame` has them. */
export interface FrameFields {
  /** Wall-clock time since 1970, in timescale units. */
  readonly created: number;
  /** In timescale units. */
  readonly dts: number;
  /** Bit 0: key frame. */
  readonly flags: number;
  /** pts - dts, in timescale units. */
  readonly ptsDelay: number;
  /** Bytes of the payload. */
  readonly size: number;
}

function packet(type: number, headerSize: number, dataSize: number, allocated = headerSize + dataSize): Buffer {
  if (dataSize > MAX_DATA_SIZE) {
    const place = { field: 'data_size', value: dataSize, packetType: packetTypeName(type) };
    throw new KmpError('kmp_bad_data_size', place, `at most ${MAX_DATA_SIZE} bytes are allowed`);
  }
  const bytes = Buffer.alloc(allocated);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(headerSize, 4);
  bytes.writeUInt32LE(dataSize, 8);
  return bytes;
}

function writeId(bytes: Buffer, at: number, id: string, field: string): void {
  if (Buffer.byteLength(id) > ID_SIZE) {
    const place = { field, value: id, packetType: packetTypeName(PacketType.connect) };
    throw new KmpError('kmp_bad_id', place, `at most ${ID_SIZE} bytes are allowed`);
  }
  bytes.write(id, at);
}

/** Writes a double as i64: as exact as the double. */
function writeI64(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  bytes.writeUInt32LE(value - high * 0x1_0000_0000, at);
  bytes.writeInt32LE(high, at + 4);
}

/**
 * A `cnct` packet.
 *
 * @throws KmpError kmp_bad_id, kmp_bad_data_size
 */
export function writeConnect(options: ConnectOptions): Buffer {
  const data = typeof options.data === 'string' ? Buffer.from(options.data) : options.data;
  const bytes = packet(PacketType.connect, HeaderSize.connect, data.length);
  writeId(bytes, 16, options.channelId, 'channel_id');
  writeId(bytes, 48, options.trackId, 'track_id');
  bytes.writeBigUInt64LE(options.initialFrameId ?? 0n, 80);
  bytes.writeBigUInt64LE(options.initialUpstreamFrameId ?? 0n, 88);
  bytes.writeUInt32LE(options.initialOffset ?? 0, 96);
  bytes.writeUInt32LE(options.flags ?? 0, 100);
  data.copy(bytes, HeaderSize.connect);
  return bytes;
}

/**
 * A `minf` packet.
 *
 * @throws KmpError kmp_bad_data_size
 */
export function writeMediaInfo(info: MediaInfo): Buffer {
  const bytes = packet(PacketType.mediaInfo, HeaderSize.mediaInfo, info.extraData.length);
  bytes.writeUInt32LE(info.mediaType === 'video' ? 0 : 1, 16);
  bytes.writeUInt32LE(info.codecId, 20);
  bytes.writeUInt32LE(info.timescale, 24);
  bytes.writeUInt32LE(info.bitrate, 28);
  if (info.mediaType === 'video') {
    bytes.writeUInt16LE(info.width, 32);
    bytes.writeUInt16LE(info.height, 34);
    bytes.writeUInt32LE(info.frameRateNum, 36);
    bytes.writeUInt32LE(info.frameRateDenom, 40);
    bytes.writeUInt32LE(info.ceaCaptions, 44);
  } else {
    bytes.writeUInt16LE(info.channels, 32);
    bytes.writeUInt16LE(info.bitsPerSample, 34);
    bytes.writeUInt32LE(info.sampleRate, 36);
    bytes.writeBigUInt64LE(info.channelLayout, 40);
  }
  info.extraData.copy(bytes, HeaderSize.mediaInfo);
  return bytes;
}

/**
 * The header of a `fram` packet; `frame.size` bytes of payload must follow it.
 *
 * @throws KmpError kmp_bad_data_size
 */
export function writeFrameHeader(frame: FrameFields): Buffer {
  return frameHeader(frame, frame.size, HeaderSize.frame);
}

/**
 * A complete `fram` packet, with a copy of the payload.
 *
 * @throws KmpError kmp_bad_data_size
 */
export function writeFrame(frame: Omit<FrameFields, 'size'>, payload: Buffer): Buffer {
  const bytes = frameHeader(frame, payload.length, HeaderSize.frame + payload.length);
  payload.copy(bytes, HeaderSize.frame);
  return bytes;
}

function frameHeader(frame: Omit<FrameFields, 'size'>, size: number, allocated: number): Buffer {
  const bytes = packet(PacketType.frame, HeaderSize.frame, size, allocated);
  writeI64(bytes, frame.created, 16);
  writeI64(bytes, frame.dts, 24);
  bytes.writeUInt32LE(frame.flags, 32);
  bytes.writeInt32LE(frame.ptsDelay, 36);
  return bytes;
}

/** A `null` packet: a keep-alive. */
export function writeNull(): Buffer {
  return packet(PacketType.null, PACKET_HEADER_SIZE, 0);
}

/** An `eost` packet: the track ends. */
export function writeEnd(): Buffer {
  return packet(PacketType.end, PACKET_HEADER_SIZE, 0);
}

/**
 * An `ackf` packet, from the server to the sender.
 *
 * @param frameId id of the next frame expected: all frames with lower ids are done
 */
export function writeAck(frameId: bigint, upstreamFrameId = 0n, offset = 0): Buffer {
  const bytes = packet(PacketType.ack, HeaderSize.ack, 0);
  bytes.writeBigUInt64LE(frameId, 16);
  bytes.writeBigUInt64LE(upstreamFrameId, 24);
  bytes.writeUInt32LE(offset, 32);
  return bytes;
}

/** Changes the frame id of the packet `ack`, which {@link writeAck} has made, so that it can be sent again. */
export function setAckedFrame(ack: Buffer, frameId: bigint): void {
  ack.writeBigUInt64LE(frameId, 16);
}
