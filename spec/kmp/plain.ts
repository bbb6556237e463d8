import { Frame } from '../../lib/media/frame.js';
import type { KmpPacket } from '../../lib/kmp/packet.js';

/** A packet as a plain object, for deepEqual: what it says, not in how many slices it lies. */
export function plain(packet: KmpPacket): object {
  if (packet instanceof Frame) {
    const { created, dts, flags, ptsDelay, size } = packet;
    return { kind: 'frame', created, dts, flags, ptsDelay, size, payload: packet.payload().toString('hex') };
  }
  if (packet.kind === 'connect') return { ...packet, data: packet.data.toString('latin1') };
  if (packet.kind === 'mediaInfo') return { ...packet.info, extraData: packet.info.extraData.toString('hex') };
  return packet;
}
