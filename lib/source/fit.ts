import type { MediaInfo } from '../media/media-info.js';

const U16 = 0xffff;
const U32 = 0xffff_ffff;
const I32 = 0x7fff_ffff;

/** The media info with every number limited to what KMP can hold: damaged files contain any number. */
export function fitInfo(info: MediaInfo): MediaInfo {
  const common = { bitrate: clamp(info.bitrate, U32) };
  return info.mediaType === 'video'
    ? { ...info, ...common, width: clamp(info.width, U16), height: clamp(info.height, U16) }
    : { ...info, ...common, channels: clamp(info.channels, U16), sampleRate: clamp(info.sampleRate, U32) };
}

/** A pts delay limited to what KMP can hold. */
export function fitDelay(delay: number): number {
  return Math.max(-I32, Math.min(I32, delay));
}

/** A whole number from 0 to `max`; 0 if it is not a number. */
function clamp(value: number, max: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(0, Math.round(value)), max) : 0;
}
