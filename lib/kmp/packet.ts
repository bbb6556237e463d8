import type { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';

/**
 * The layout of KMP on the wire (docs/protocol/kmp.md, Packet). All integers are little-endian.
 *
 *     packet   0  type u32 (four letters)      4  header_size u32     8  data_size u32    12  reserved u32
 *              16  the type's own header, then whatever a newer sender adds, up to header_size; then data_size bytes
 *
 *     cnct    16  channel_id char[32]         48  track_id char[32]  (NUL-padded)
 *             80  initial_frame_id u64        88  initial_upstream_frame_id u64
 *             96  initial_offset u32         100  flags u32          data: connect data, JSON
 *
 *     minf    16  media_type u32              20  codec_id u32       24  timescale u32       28  bitrate u32
 *      video  32  width u16                   34  height u16         36  frame rate: num u32, denom u32
 *             44  cea_captions u32
 *      audio  32  channels u16                34  bits_per_sample u16
 *             36  sample_rate u32             40  channel_layout u64 data: the codec's private data
 *
 *     fram    16  created i64                 24  dts i64            32  flags u32           36  pts_delay i32
 *                                                                    data: one frame
 *     null    nothing of its own                                     data: ignored
 *     eost    nothing of its own                                     data: none
 *     ackf    16  frame_id u64                24  upstream_frame_id u64
 *             32  offset u32                  36  padding u32        data: none
 */
export const PACKET_HEADER_SIZE = 16;

/** The first four bytes of a packet, read as a little-endian number. */
export const PacketType = {
  connect: 0x74636e63,
  mediaInfo: 0x666e696d,
  frame: 0x6d617266,
  null: 0x6c6c756e,
  end: 0x74736f65,
  ack: 0x666b6361,
} as const;

/** Smallest header_size of each type, bytes, including the first 16. A longer header is allowed. */
export const HeaderSize = { connect: 104, mediaInfo: 48, frame: 40, null: 16, end: 16, ack: 40 } as const;

/** Largest header_size, bytes. */
export const MAX_HEADER_SIZE = 65536;

/** Largest data_size, bytes: 16 MiB. */
export const MAX_DATA_SIZE = 16 * 1024 * 1024;

/** Bytes of channel_id and of track_id. */
export const ID_SIZE = 32;

/** 2^64-1: not a valid frame id (docs/protocol/kmp.md, Frame ids). */
export const INVALID_FRAME_ID = 0xffff_ffff_ffff_ffffn;

/** Bit 0 of {@link ConnectPacket.flags}: the sender's frame ids and offsets are consistent with earlier connections. */
export const CONNECT_CONSISTENT = 1;

/** `cnct`: the first packet of every connection, and only there. */
export interface ConnectPacket {
  readonly kind: 'connect';
  /**
   * Up to 32 bytes, read as UTF-8 up to the first NUL. It comes from the sender: do not trust it in paths or markup.
   */
  readonly channelId: string;
  /** As {@link channelId}. */
  readonly trackId: string;
  /** Id of the first frame that follows. Never 2^64-1. */
  readonly initialFrameId: bigint;
  readonly initialUpstreamFrameId: bigint;
  readonly initialOffset: number;
  /** Bit 0: {@link CONNECT_CONSISTENT}. */
  readonly flags: number;
  /** The connect data, not parsed yet (`parseConnectData`). A copy, which keeps no read buffer alive. */
  readonly data: Buffer;
}

/** `minf`: the media info of the track. The codec is not checked here. */
export interface MediaInfoPacket {
  readonly kind: 'mediaInfo';
  readonly info: MediaInfo;
}

/** `null`: a keep-alive; its data is skipped. */
export interface NullPacket {
  readonly kind: 'null';
}

/** `eost`: the track ends. Nothing behind it is read. */
export interface EndPacket {
  readonly kind: 'end';
}

/**
 * A packet of a KMP connection. A `fram` packet is a {@link Frame} itself, not an object around one, since there are
 * thousands per second: test `packet instanceof Frame` first, then `packet.kind`.
 */
export type KmpPacket = Frame | ConnectPacket | MediaInfoPacket | NullPacket | EndPacket;

/** The name of a packet type for messages: its four letters, other bytes as `\xNN`. */
export function packetTypeName(type: number): string {
  let name = '';
  for (let shift = 0; shift < 32; shift += 8) {
    const byte = (type >>> shift) & 0xff;
    const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    name += printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return name;
}

/** The packets before number `end`, all of which are frames. */
export function framesBefore(packets: readonly KmpPacket[], end: number): Frame[] {
  return packets.slice(0, end) as Frame[];
}
