import { BitReader, unescapeNal } from '../../media/bits.js';
import type { VideoParameters } from './h264.js';

/** NAL unit types (ITU-T H.265, table 7-1). */
export const Nal = { VPS: 32, SPS: 33, PPS: 34 } as const;

/** What an H.265 sequence parameter set contains besides the size. */
export interface HevcParameters extends VideoParameters {
  /** general_profile_space .. general_level_idc: the 12 bytes that hvcC repeats. */
  readonly profileTierLevel: Buffer;
  readonly temporalLayers: number;
  readonly temporalNesting: boolean;
  readonly chromaFormat: number;
  readonly lumaDepth: number;
  readonly chromaDepth: number;
}

/** First SPS of an HEVCDecoderConfigurationRecord, or undefined if it has none (`hev1`) or is truncated. */
export function spsOfHvcc(hvcc: Buffer): Buffer | undefined {
  if (hvcc.length < 23) return undefined;
  let at = 23;
  for (let array = 0; array < (hvcc[22] ?? 0); array++) {
    if (at + 3 > hvcc.length) return undefined;
    const type = (hvcc[at] ?? 0) & 0x3f;
    const count = hvcc.readUInt16BE(at + 1);
    at += 3;
    for (let i = 0; i < count; i++) {
      if (at + 2 > hvcc.length) return undefined;
      const size = hvcc.readUInt16BE(at);
      if (type === Nal.SPS && at + 2 + size <= hvcc.length) return hvcc.subarray(at + 2, at + 2 + size);
      at += 2 + size;
    }
  }
  return undefined;
}

/** Reads an H.265 sequence parameter set, NAL header included (ITU-T H.265, 7.3.2.2), as far as it is needed. */
export function parseHevcSps(nal: Buffer): HevcParameters | undefined {
  const bytes = unescapeNal(nal.subarray(2));
  const reader = new BitReader(bytes);
  reader.skip(4); // VPS id
  const subLayers = reader.bits(3);
  const temporalNesting = reader.flag();
  const profileTierLevel = bytes.subarray(1, 13);
  reader.skip(96);
  skipSubLayers(reader, subLayers);
  reader.ue(); // id
  const chromaFormat = reader.ue();
  if (chromaFormat === 3) reader.skip(1);
  let width = reader.ue();
  let height = reader.ue();
  if (reader.flag()) {
    const [left, right, top, bottom] = [reader.ue(), reader.ue(), reader.ue(), reader.ue()];
    width -= (left + right) * (chromaFormat === 1 || chromaFormat === 2 ? 2 : 1);
    height -= (top + bottom) * (chromaFormat === 1 ? 2 : 1);
  }
  const lumaDepth = reader.ue() + 8;
  const chromaDepth = reader.ue() + 8;
  reader.ue(); // log2_max_pic_order_cnt_lsb
  let reorder = 0;
  for (let layer = reader.flag() ? 0 : subLayers; layer <= subLayers; layer++) {
    reader.ue();
    reorder = reader.ue();
    reader.ue();
  }
  if (reader.overrun || width <= 0 || height <= 0 || reorder > 16) return undefined;
  const temporalLayers = subLayers + 1;
  return {
    width,
    height,
    reorder,
    profileTierLevel,
    temporalLayers,
    temporalNesting,
    chromaFormat,
    lumaDepth,
    chromaDepth,
  };
}

/** The rest of profile_tier_level(): the fields of each sub-layer. */
function skipSubLayers(reader: BitReader, count: number): void {
  if (count === 0) return;
  const present: { profile: boolean; level: boolean }[] = [];
  for (let i = 0; i < 8; i++) {
    const entry = { profile: reader.flag(), level: reader.flag() };
    if (i < count) present.push(entry);
  }
  for (const { profile, level } of present) reader.skip((profile ? 88 : 0) + (level ? 8 : 0));
}
