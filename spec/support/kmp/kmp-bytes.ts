/** KMP packets by hand, from docs/protocol/kmp.md, Packet types; knows nothing of lib/kmp. */
import { ascii, concat, pad, u16le, u32le, u64le } from '../values/bytes.js';

/** Any packet: `fields` is its own header, `data` what follows. The sizes it claims may be lies. */
export function packet(
  type: string,
  fields: Buffer = Buffer.alloc(0),
  data: Buffer = Buffer.alloc(0),
  claims: { headerSize?: number; dataSize?: number } = {},
): Buffer {
  const { headerSize = 16 + fields.length, dataSize = data.length } = claims;
  return concat(ascii(type), u32le(headerSize), u32le(dataSize), u32le(0), fields, data);
}

/** The fields of a `cnct` header. */
export function connectFields(channel = 'ch1', track = 'v1', frameId: bigint | number = 0): Buffer {
  return concat(pad(channel, 32), pad(track, 32), u64le(frameId), u64le(0), u32le(0), u32le(0));
}

/** A `cnct` packet. */
export function connect(data: object | string | Buffer = '{}', channel = 'ch1', track = 'v1', frameId = 0n): Buffer {
  const text = Buffer.isBuffer(data) || typeof data === 'string' ? data : JSON.stringify(data);
  return packet('cnct', connectFields(channel, track, frameId), Buffer.from(text));
}

/** The fields of a video `minf` header. */
export function videoFields(values: { mediaType?: number; codecId?: number; timescale?: number } = {}): Buffer {
  const { mediaType = 0, codecId = 7, timescale = 90000 } = values;
  const common = concat(u32le(mediaType), u32le(codecId), u32le(timescale), u32le(2_500_000));
  return concat(common, u16le(1280), u16le(720), u32le(30000), u32le(1001), u32le(0));
}

/** The fields of an audio `minf` header. */
export function audioFields(codecId = 1010, timescale = 90000): Buffer {
  const common = concat(u32le(1), u32le(codecId), u32le(timescale), u32le(128_000));
  return concat(common, u16le(2), u16le(16), u32le(44100), u64le(3));
}

/** The fields of a `fram` header. */
export function frameFields(created: bigint | number, dts: bigint | number, flags = 0, ptsDelay = 0): Buffer {
  return concat(u64le(created), u64le(dts), u32le(flags), u32le(ptsDelay));
}

/** A `fram` packet. */
export function frame(payload: Buffer | string, dts: bigint | number = 0, flags = 0, ptsDelay = 0): Buffer {
  return packet('fram', frameFields(0, dts, flags, ptsDelay), Buffer.from(payload));
}

export const nullPacket = packet('null');
export const end = packet('eost');
