/**
 * KMP packets as the load writes them (docs/protocol/kmp.md, Packet). The bench has bytes of its own: it judges the
 * service, so it shares no code with it.
 */
import { Stamp, writeStamp, type StampFields } from './stamp.js';

const PACKET_HEADER = 16;
const CONNECT_HEADER = 88;
const MEDIA_INFO_HEADER = 32;
/** Bytes of a `fram` packet before its payload. */
export const FRAME_HEADER = PACKET_HEADER + 24;
export const TIMESCALE = 90_000;

const AVCC = Buffer.from('0164001effe1000467' + '64001e01000468ebecb2', 'hex');
const AUDIO_SPECIFIC_CONFIG = Buffer.from('1210', 'hex');

function packet(type: string, headerBytes: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(PACKET_HEADER + headerBytes + data.length);
  bytes.write(type, 0, 'latin1');
  bytes.writeUInt32LE(PACKET_HEADER + headerBytes, 4);
  bytes.writeUInt32LE(data.length, 8);
  data.copy(bytes, PACKET_HEADER + headerBytes);
  return bytes;
}

/** `cnct`, from frame 0. */
export function connectPacket(channel: string, track: string, connectData: object): Buffer {
  const bytes = packet('cnct', CONNECT_HEADER, Buffer.from(JSON.stringify(connectData)));
  bytes.write(channel.slice(0, 31), PACKET_HEADER, 'latin1');
  bytes.write(track.slice(0, 31), PACKET_HEADER + 32, 'latin1');
  return bytes;
}

/** `minf` of an H.264 track, 1280x720. */
export function videoInfoPacket(bitrate: number, fps: number): Buffer {
  const bytes = packet('minf', MEDIA_INFO_HEADER, AVCC);
  [0, 7, TIMESCALE, bitrate].forEach((value, i) => bytes.writeUInt32LE(value, PACKET_HEADER + 4 * i));
  bytes.writeUInt16LE(1280, PACKET_HEADER + 16);
  bytes.writeUInt16LE(720, PACKET_HEADER + 18);
  bytes.writeUInt32LE(Math.round(fps), PACKET_HEADER + 20);
  bytes.writeUInt32LE(1, PACKET_HEADER + 24);
  return bytes;
}

/** `minf` of an AAC track, 44.1 kHz stereo. */
export function audioInfoPacket(bitrate: number): Buffer {
  const bytes = packet('minf', MEDIA_INFO_HEADER, AUDIO_SPECIFIC_CONFIG);
  [1, 1010, TIMESCALE, bitrate].forEach((value, i) => bytes.writeUInt32LE(value, PACKET_HEADER + 4 * i));
  bytes.writeUInt16LE(2, PACKET_HEADER + 16);
  bytes.writeUInt16LE(16, PACKET_HEADER + 18);
  bytes.writeUInt32LE(44_100, PACKET_HEADER + 20);
  bytes.writeUInt32LE(3, PACKET_HEADER + 24);
  return bytes;
}

/** `eost`. */
export function endPacket(): Buffer {
  return packet('eost', 0, Buffer.alloc(0));
}

/** A buffer to write `fram` packets into, for payloads of at most `maxPayload` bytes. */
export function framePacketBuffer(maxPayload: number): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER + Math.max(maxPayload, Stamp.bytes), 0x5a);
  bytes.fill(0, 0, FRAME_HEADER);
  bytes.write('fram', 0, 'latin1');
  bytes.writeUInt32LE(FRAME_HEADER, 4);
  return bytes;
}

/**
 * Fills in what differs from frame to frame. Times are in units of {@link TIMESCALE}.
 * @returns the packet's length in bytes.
 */
export function fillFramePacket(to: Buffer, created: number, dts: number, key: boolean, stamp: StampFields): number {
  to.writeUInt32LE(stamp.size, 8);
  writeU64(to, 16, created);
  writeU64(to, 24, dts);
  to.writeUInt32LE(key ? 1 : 0, 32);
  writeStamp(to, FRAME_HEADER, stamp);
  return FRAME_HEADER + stamp.size;
}

function writeU64(to: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  to.writeUInt32LE(value - high * 0x1_0000_0000, at);
  to.writeUInt32LE(high, at + 4);
}
