import type { MediaInfo } from '../../media/media-info.js';
import type { MediaStatus } from '../report/status.js';

/**
 * What a track carries, for the API.
 *
 * @param keyInterval ms from one key frame to the next; undefined before the second
 */
export function describeMedia(info: MediaInfo, keyInterval: number | undefined): MediaStatus {
  const { bitrate } = info;
  if (info.mediaType === 'audio') return { bitrate, channels: info.channels, sample_rate: info.sampleRate };
  const { width, height, frameRateNum, frameRateDenom } = info;
  const rate = frameRateDenom === 0 ? 0 : frameRateNum / frameRateDenom;
  return {
    bitrate,
    width,
    height,
    frame_rate: Math.round(rate * 1000) / 1000,
    key_frame_interval: keyInterval === undefined ? null : Math.round(keyInterval),
  };
}
