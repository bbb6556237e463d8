import type { Json } from './controller.js';

/** The `media_info` of a request to the controller, from a `minf` packet. */
export function mediaInfoJson(packet: Buffer): Json {
  const headerSize = packet.readUInt32LE(4);
  const common = {
    bitrate: packet.readUInt32LE(28),
    codec_id: packet.readUInt32LE(20),
    extra_data: packet.toString('hex', headerSize),
  };
  if (packet.readUInt32LE(16) === 0) {
    return {
      ...{ media_type: 'video', ...common, width: packet.readUInt16LE(32), height: packet.readUInt16LE(34) },
      ...{ frame_rate: packet.readUInt32LE(36) / packet.readUInt32LE(40), cea_captions: false },
    };
  }
  return {
    ...{ media_type: 'audio', ...common, channels: packet.readUInt16LE(32) },
    ...{ channel_layout: packet.readBigUInt64LE(40).toString(16) },
    ...{ bits_per_sample: packet.readUInt16LE(34), sample_rate: packet.readUInt32LE(36) },
  };
}
