/** The media of the demo: frames whose bytes follow from their track and number, so that each one can be checked. */
import type { AudioInfo, MediaInfo, VideoInfo } from '../../../lib/media/media-info.js';
import { readStamp, Stamp, writeStamp, type StampFields } from '../../stamp.js';

export type Kind = 'video' | 'audio';

/** ms from frame to frame. */
export const STEP: Readonly<Record<Kind, number>> = { video: 40, audio: 20 };
/** Video frames in a group: 2 s. */
export const GROUP = 50;

const TIMESCALE = 90_000;
/** Bytes. */
const SIZES = { key: 8000, video: 2000, audio: 200 } as const;

const VIDEO: VideoInfo = {
  ...{ mediaType: 'video', codecId: 7, timescale: TIMESCALE, bitrate: 450_000 },
  extraData: Buffer.from('0164001effe100046764001e01000468ebecb2', 'hex'),
  ...{ width: 1280, height: 720, frameRateNum: 25, frameRateDenom: 1, ceaCaptions: 0 },
};
const AUDIO: AudioInfo = {
  ...{ mediaType: 'audio', codecId: 10 + 1000, timescale: TIMESCALE, bitrate: 80_000 },
  extraData: Buffer.from('1210', 'hex'),
  ...{ channels: 2, bitsPerSample: 16, sampleRate: 44_100, channelLayout: 3n },
};

export const mediaInfo = (kind: Kind): MediaInfo => (kind === 'video' ? VIDEO : AUDIO);

export const isKey = (kind: Kind, number: number): boolean => kind === 'audio' || number % GROUP === 0;

export const toUnits = (ms: number): number => Math.round(ms * (TIMESCALE / 1000));

/** The payload of a frame. */
export function payload(track: number, kind: Kind, number: number): Buffer {
  const size = kind === 'audio' ? SIZES.audio : isKey(kind, number) ? SIZES.key : SIZES.video;
  const data = Buffer.alloc(size, (track * 31 + number) & 0xff);
  writeStamp(data, 0, { sentAt: 0, number, size, track, audio: kind === 'audio' });
  return data;
}

/** Which frame it is; undefined: none of the demo's, or not as it was sent. */
export function readPayload(data: Buffer, kind: Kind): StampFields | undefined {
  if (data.length < Stamp.bytes) return undefined;
  const stamp = readStamp(data, 0);
  return data.equals(payload(stamp.track, kind, stamp.number)) ? stamp : undefined;
}
