import { CREATED, DTS, FLAGS, PTS_DELAY, SIZE, START, type FrameRing } from '../media/frame-ring.js';
import { HeaderSize, MAX_HEADER_SIZE, PACKET_HEADER_SIZE, PacketType } from './packet.js';

const TWO_32 = 0x1_0000_0000;

/**
 * Adds the frames of which `bytes` has all bytes to `ring`, up to the first packet that is anything else, empty,
 * incomplete or invalid: {@link KmpParser} finds out what it is.
 *
 * @param start where a packet begins in `bytes`
 * @param end where the bytes end
 * @param maxDataSize largest data_size, bytes
 * @param ring the frames are added and not committed
 * @returns where the frames end in `bytes`
 */
export function readWholeFrames(
  bytes: DataView,
  start: number,
  end: number,
  maxDataSize: number,
  ring: FrameRing,
): number {
  let pos = start;
  while (end - pos >= HeaderSize.frame && bytes.getInt32(pos, true) === PacketType.frame) {
    const headerSize = bytes.getInt32(pos + 4, true);
    const dataSize = bytes.getInt32(pos + 8, true);
    // Sizes of 2^31 bytes or more are below 0 here.
    if (headerSize < HeaderSize.frame || headerSize > MAX_HEADER_SIZE) break;
    if (dataSize <= 0 || dataSize > maxDataSize) break;
    const payload = pos + headerSize;
    const next = payload + dataSize;
    if (next > end) break;
    const fields = pos + PACKET_HEADER_SIZE;
    const at = ring.add();
    const { times, sizes } = ring;
    times[at + CREATED] = bytes.getInt32(fields + 4, true) * TWO_32 + bytes.getUint32(fields, true);
    times[at + DTS] = bytes.getInt32(fields + 12, true) * TWO_32 + bytes.getUint32(fields + 8, true);
    sizes[at + SIZE] = dataSize;
    sizes[at + START] = payload;
    sizes[at + FLAGS] = bytes.getInt32(fields + 16, true);
    sizes[at + PTS_DELAY] = bytes.getInt32(fields + 20, true);
    pos = next;
  }
  return pos;
}
