import { parseSps } from './h264.js';
import { Nal as HevcNal, parseHevcSps } from './h265.js';

const AVC_SPS = 7;
const AVC_PPS = 8;
const HIGH = 100;

/** The NAL units of a byte stream (ITU-T H.264 and H.265, annex B), without their start codes. */
export function annexBUnits(stream: Buffer): Buffer[] {
  const units: Buffer[] = [];
  let from = -1;
  let at = stream.indexOf(START_CODE);
  while (at !== -1) {
    if (from !== -1) units.push(trimZeros(stream.subarray(from, at)));
    from = at + START_CODE.length;
    at = stream.indexOf(START_CODE, from);
  }
  if (from !== -1) units.push(trimZeros(stream.subarray(from)));
  return units.filter((unit) => unit.length > 0);
}

const START_CODE = Buffer.from([0, 0, 1]);

/** Zeros before a start code are not part of the NAL unit: no NAL unit ends with a zero. */
function trimZeros(unit: Buffer): Buffer {
  let end = unit.length;
  while (end > 0 && unit[end - 1] === 0) end--;
  return unit.subarray(0, end);
}

/** The units, each after its size in 4 bytes, as KMP and RTMP need them. */
export function lengthPrefixed(units: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  for (const unit of units) {
    const size = Buffer.allocUnsafe(4);
    size.writeUInt32BE(unit.length);
    parts.push(size, unit);
  }
  return Buffer.concat(parts);
}

/** An AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) of the given parameter sets, if both are there. */
export function avccOf(units: readonly Buffer[]): Buffer | undefined {
  const sps = units.filter((unit) => ((unit[0] ?? 0) & 0x1f) === AVC_SPS && unit.length > 4);
  const pps = units.filter((unit) => ((unit[0] ?? 0) & 0x1f) === AVC_PPS);
  const [first] = sps;
  if (first === undefined || pps.length === 0) return undefined;
  const head = Buffer.from([1, first[1] ?? HIGH, first[2] ?? 0, first[3] ?? 0, 0xff, 0xe0 | sps.length]);
  const parameters = (first[1] ?? 0) >= HIGH ? parseSps(first) : undefined;
  const tail =
    parameters === undefined
      ? []
      : [0xfc | parameters.chromaFormat, 0xf8 | (parameters.lumaDepth - 8), 0xf8 | (parameters.chromaDepth - 8), 0];
  return Buffer.concat([
    head,
    ...sps.flatMap(sized),
    Buffer.from([pps.length]),
    ...pps.flatMap(sized),
    Buffer.from(tail),
  ]);
}

/**
 * An HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1) of the given parameter sets, if all three are there.
 */
export function hvccOf(units: readonly Buffer[]): Buffer | undefined {
  const arrays = [HevcNal.VPS, HevcNal.SPS, HevcNal.PPS].map((type) => ({
    type,
    units: units.filter((unit) => (((unit[0] ?? 0) >> 1) & 0x3f) === type),
  }));
  const sps = arrays[1]?.units[0];
  const parameters = sps === undefined ? undefined : parseHevcSps(sps);
  if (parameters === undefined || arrays.some((array) => array.units.length === 0)) return undefined;
  const head = Buffer.concat([
    Buffer.from([1]),
    parameters.profileTierLevel,
    // Segments, parallelism and frame rate: not specified. NAL sizes have 4 bytes.
    Buffer.from([0xf0, 0x00, 0xfc, 0xfc | parameters.chromaFormat]),
    Buffer.from([0xf8 | (parameters.lumaDepth - 8), 0xf8 | (parameters.chromaDepth - 8), 0, 0]),
    Buffer.from([(parameters.temporalLayers << 3) | (parameters.temporalNesting ? 4 : 0) | 3, arrays.length]),
  ]);
  // Not "complete": the parameter sets stay in the frames as well.
  const body = arrays.flatMap((array) => [
    Buffer.from([array.type, array.units.length >> 8, array.units.length & 0xff]),
    ...array.units.flatMap(sized),
  ]);
  return Buffer.concat([head, ...body]);
}

function sized(unit: Buffer): Buffer[] {
  return [Buffer.from([unit.length >> 8, unit.length & 0xff]), unit];
}
