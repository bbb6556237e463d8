import type { AudioParameters } from './audio-config.js';

/** Samples per second of MPEG-1 layer III by index; half of it for MPEG-2, a quarter for MPEG-2.5. */
const MP3_RATES = [44100, 48000, 32000];
const MP3_SHIFT: ReadonlyMap<number, number> = new Map([
  [3, 0],
  [2, 1],
  [0, 2],
]);
const MONO = 3;

/** Reads the header at the beginning of each MP3 frame (ISO/IEC 11172-3, 2.4.1.3). */
export function parseMp3Header(frame: Buffer): AudioParameters | undefined {
  if (frame.length < 4 || frame[0] !== 0xff || ((frame[1] ?? 0) & 0xe0) !== 0xe0) return undefined;
  const rate = MP3_RATES[((frame[2] ?? 0) >> 2) & 3];
  const shift = MP3_SHIFT.get(((frame[1] ?? 0) >> 3) & 3);
  if (rate === undefined || shift === undefined) return undefined;
  return { sampleRate: rate >> shift, channels: (frame[3] ?? 0) >> 6 === MONO ? 1 : 2 };
}

const AC3_RATES = [48000, 44100, 32000];
/** Channels of an audio coding mode, without the low-frequency one. */
const AC3_CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];
const EAC3_FROM = 11;

/** Reads the header at the beginning of each AC-3 or E-AC-3 frame (ETSI TS 102 366, 5.3 and E.1.2). */
export function parseAc3Header(frame: Buffer): AudioParameters | undefined {
  if (frame.length < 8 || frame[0] !== 0x0b || frame[1] !== 0x77) return undefined;
  const bits = frame.readBigUInt64BE(0);
  const take = (at: number, count: number): number =>
    Number((bits >> BigInt(64 - at - count)) & ((1n << BigInt(count)) - 1n));
  if (take(40, 5) >= EAC3_FROM) {
    const code = take(32, 2);
    const sampleRate = code === 3 ? (AC3_RATES[take(34, 2)] ?? 0) / 2 : (AC3_RATES[code] ?? 0);
    return sampleRate === 0 ? undefined : { sampleRate, channels: (AC3_CHANNELS[take(36, 3)] ?? 2) + take(39, 1) };
  }
  const sampleRate = AC3_RATES[take(32, 2)];
  const mode = take(48, 3);
  // Depending on the mode, mix levels precede the LFE flag.
  const levels = ((mode & 1) !== 0 && mode !== 1 ? 2 : 0) + ((mode & 4) !== 0 ? 2 : 0) + (mode === 2 ? 2 : 0);
  if (sampleRate === undefined) return undefined;
  return { sampleRate, channels: (AC3_CHANNELS[mode] ?? 2) + take(51 + levels, 1) };
}
