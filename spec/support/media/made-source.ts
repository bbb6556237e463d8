import type { AudioInfo, MediaInfo, VideoInfo } from '../../../lib/media/media-info.js';
import type { MediaSource, SourceFrame } from '../../../lib/source/source.js';

/** Media info for specs that do not care. */
export const videoInfo: VideoInfo = {
  mediaType: 'video',
  codecId: 7,
  timescale: 90000,
  bitrate: 1_000_000,
  extraData: Buffer.from('0164001e', 'hex'),
  width: 320,
  height: 180,
  frameRateNum: 25,
  frameRateDenom: 1,
  ceaCaptions: 0,
};

export const audioInfo: AudioInfo = {
  mediaType: 'audio',
  codecId: 1010,
  timescale: 90000,
  bitrate: 64_000,
  extraData: Buffer.from('1210', 'hex'),
  channels: 2,
  bitsPerSample: 16,
  sampleRate: 44100,
  channelLayout: 3n,
};

/** A frame with a dts in ms of a timescale of 90000; its payload is its track's letter and its dts. */
export function madeFrame(letter: string, ms: number, more: Partial<SourceFrame> = {}): SourceFrame {
  return { dts: ms * 90, ptsDelay: 0, key: true, data: Buffer.from(`${letter}${ms}`), ...more };
}

/** A source of frames that are all known. */
export function madeSource(
  tracks: readonly { info: MediaInfo; frames: readonly SourceFrame[] }[],
  more: Partial<MediaSource> = {},
): MediaSource {
  return {
    format: 'made',
    absolute: false,
    tracks: tracks.map(({ info, frames }) => ({
      info,
      async *frames() {
        yield* await Promise.resolve(frames);
      },
    })),
    close: () => Promise.resolve(),
    ...more,
  };
}
