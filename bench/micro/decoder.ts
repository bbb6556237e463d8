import { KmpParser } from '../../lib/kmp/parser.js';
import { connectPacket, fillFramePacket, framePacketBuffer, videoInfoPacket } from '../kmp-bytes.js';
import type { MicroBench } from './timing.js';

const READ_BYTES = 65_536;
const FRAMES = 600;

/** A connection's bytes in reads of 64 KB, the most that Node gives at once. */
export function decoderBench(frameBytes: number): MicroBench {
  const packet = framePacketBuffer(frameBytes);
  const parts = [
    connectPacket('ch', 'v1', { upstream_id: 'u', url: 'rtmp://127.0.0.1/a/s' }),
    videoInfoPacket(4e6, 30),
  ];
  for (let number = 0; number < FRAMES; number++) {
    const stamp = { sentAt: 0, number, size: frameBytes, track: 0, audio: false };
    const length = fillFramePacket(packet, number * 3000, number * 3000, number % 60 === 0, stamp);
    parts.push(Buffer.from(packet.subarray(0, length)));
  }
  const bytes = Buffer.concat(parts);
  const reads: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += READ_BYTES) reads.push(bytes.subarray(at, at + READ_BYTES));
  return {
    name: `KMP parser, frames of ${frameBytes} bytes in reads of 64 KB`,
    frames: FRAMES,
    run(): void {
      const parser = new KmpParser();
      let packets = 0;
      for (const read of reads) packets += parser.feed(read).length;
      if (packets !== FRAMES + 2) throw new Error(`${packets} packets, where ${FRAMES + 2} were written`);
    },
  };
}
