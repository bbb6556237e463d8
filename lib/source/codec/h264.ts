import { BitReader, unescapeNal } from '../../media/bits.js';

/** What a parameter set contains about the video. */
export interface VideoParameters {
  readonly width: number;
  readonly height: number;
  /** Number of pictures that decoding is ahead of display; undefined if the parameter set does not contain it. */
  readonly reorder?: number;
}

/** What an H.264 sequence parameter set contains besides the size. */
export interface AvcParameters extends VideoParameters {
  readonly chromaFormat: number;
  readonly lumaDepth: number;
  readonly chromaDepth: number;
}

/** Profiles whose SPS has the chroma fields (ITU-T H.264, 7.3.2.1.1). */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
const BASELINE = 66;
const EXTENDED_SAR = 255;

/** First SPS of an AVCDecoderConfigurationRecord, or undefined if it has none (`avc3`) or is truncated. */
export function spsOfAvcc(avcc: Buffer): Buffer | undefined {
  if (avcc.length < 8 || avcc[0] !== 1 || ((avcc[5] ?? 0) & 0x1f) === 0) return undefined;
  const size = avcc.readUInt16BE(6);
  return avcc.length >= 8 + size ? avcc.subarray(8, 8 + size) : undefined;
}

/** Reads an H.264 sequence parameter set, NAL header included (ITU-T H.264, 7.3.2.1.1 and E.1.1). */
export function parseSps(nal: Buffer): AvcParameters | undefined {
  const reader = new BitReader(unescapeNal(nal.subarray(1)));
  const profile = reader.bits(8);
  reader.skip(16); // constraint flags, level
  reader.ue(); // id
  let [chromaFormat, lumaDepth, chromaDepth] = [1, 8, 8];
  if (HIGH_PROFILES.has(profile)) {
    chromaFormat = reader.ue();
    if (chromaFormat === 3) reader.skip(1);
    lumaDepth = reader.ue() + 8;
    chromaDepth = reader.ue() + 8;
    reader.skip(1);
    if (reader.flag()) skipScalingLists(reader, chromaFormat === 3 ? 12 : 8);
  }
  reader.ue(); // log2_max_frame_num
  const orderType = reader.ue();
  if (orderType === 0) reader.ue();
  else if (orderType === 1) {
    reader.skip(1);
    reader.se();
    reader.se();
    const cycle = reader.ue();
    for (let i = 0; i < cycle && !reader.overrun; i++) reader.se();
  }
  reader.ue(); // reference frames
  reader.skip(1);
  const widthInMbs = reader.ue() + 1;
  const heightInUnits = reader.ue() + 1;
  const frameMbsOnly = reader.flag() ? 1 : 0;
  if (frameMbsOnly === 0) reader.skip(1);
  reader.skip(1);
  let [left, right, top, bottom] = [0, 0, 0, 0];
  if (reader.flag()) [left, right, top, bottom] = [reader.ue(), reader.ue(), reader.ue(), reader.ue()];
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const cropY = (chromaFormat === 1 ? 2 : 1) * (2 - frameMbsOnly);
  const width = widthInMbs * 16 - (left + right) * cropX;
  const height = heightInUnits * 16 * (2 - frameMbsOnly) - (top + bottom) * cropY;
  // Sequences of this order type, and all of the baseline profile, are decoded in display order.
  let reorder = orderType === 2 || profile === BASELINE ? 0 : undefined;
  if (reader.flag()) reorder = vuiReorder(reader) ?? reorder;
  if (reader.overrun || width <= 0 || height <= 0) return undefined;
  const parameters = { width, height, chromaFormat, lumaDepth, chromaDepth };
  return reorder === undefined || reorder > 16 ? parameters : { ...parameters, reorder };
}

function skipScalingLists(reader: BitReader, count: number): void {
  for (let list = 0; list < count; list++) {
    if (!reader.flag()) continue;
    let [last, next] = [8, 8];
    for (let i = 0; i < (list < 6 ? 16 : 64) && !reader.overrun; i++) {
      if (next !== 0) next = (last + reader.se() + 256) % 256;
      if (next !== 0) last = next;
    }
  }
}

/** max_num_reorder_frames, if the VUI contains the bitstream restriction. */
function vuiReorder(reader: BitReader): number | undefined {
  if (reader.flag() && reader.bits(8) === EXTENDED_SAR) reader.skip(32);
  if (reader.flag()) reader.skip(1); // overscan
  if (reader.flag()) {
    reader.skip(4);
    if (reader.flag()) reader.skip(24); // colour description
  }
  if (reader.flag()) {
    reader.ue();
    reader.ue();
  }
  if (reader.flag()) reader.skip(65); // timing
  const nal = reader.flag();
  if (nal) skipHrd(reader);
  const vcl = reader.flag();
  if (vcl) skipHrd(reader);
  if (nal || vcl) reader.skip(1);
  reader.skip(1);
  if (!reader.flag()) return undefined;
  reader.skip(1);
  for (let i = 0; i < 4; i++) reader.ue();
  const reorder = reader.ue();
  return reader.overrun ? undefined : reorder;
}

function skipHrd(reader: BitReader): void {
  const count = reader.ue() + 1;
  reader.skip(8);
  for (let i = 0; i < count && !reader.overrun; i++) {
    reader.ue();
    reader.ue();
    reader.skip(1);
  }
  reader.skip(20);
}
