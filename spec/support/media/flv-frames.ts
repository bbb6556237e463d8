import { createHash } from 'node:crypto';
import type { FlvTag } from './flv-parse.js';

/** One coded frame in FLV tags, taken out by hand from the layouts of FLV and Enhanced RTMP. Times in ms. */
export interface FlvFrame {
  readonly type: 'video' | 'audio';
  readonly dts: number;
  readonly pts: number;
  readonly key: boolean;
  readonly size: number;
  readonly md5: string;
}

/** The frames among `tags`, in order; sequence headers and script data left out. */
export function flvFrames(tags: readonly FlvTag[]): FlvFrame[] {
  return tags.flatMap((tag) => (tag.type === 9 ? video(tag) : tag.type === 8 ? audio(tag) : []));
}

function video({ timestamp, payload }: FlvTag): FlvFrame[] {
  const first = payload.readUInt8(0);
  const key = ((first >> 4) & 7) === 1;
  // Enhanced: frame type and packet type, FourCC; coded frames (1) have a composition time, those of type 3 have none.
  // Else: frame type and codec id, AVC packet type, composition time.
  const enhanced = first >= 0x80;
  const kind = enhanced ? first & 15 : payload.readUInt8(1);
  if (kind !== 1 && !(enhanced && kind === 3)) return [];
  const at = enhanced ? 5 : 2;
  const hasCts = kind === 1;
  const cts = hasCts ? payload.readIntBE(at, 3) : 0;
  return [frame('video', timestamp, cts, key, payload.subarray(hasCts ? at + 3 : at))];
}

function audio({ timestamp, payload }: FlvTag): FlvFrame[] {
  const first = payload.readUInt8(0);
  const format = first >> 4;
  // 9: enhanced, packet type and FourCC; 10: AAC, with its packet type; all others: the sound byte alone.
  if (format === 9) return (first & 15) === 1 ? [frame('audio', timestamp, 0, true, payload.subarray(5))] : [];
  if (format === 10) return payload[1] === 1 ? [frame('audio', timestamp, 0, true, payload.subarray(2))] : [];
  return [frame('audio', timestamp, 0, true, payload.subarray(1))];
}

function frame(type: FlvFrame['type'], dts: number, cts: number, key: boolean, data: Buffer): FlvFrame {
  const md5 = createHash('md5').update(data).digest('hex');
  return { type, dts, pts: dts + cts, key, size: data.length, md5 };
}
