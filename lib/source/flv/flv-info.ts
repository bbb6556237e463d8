import { Codec } from '../../media/codec.js';
import type { MediaInfo } from '../../media/media-info.js';
import { defaultLayout, parseAudioSpecificConfig, parseOpusHead, type AudioParameters } from '../codec/audio-config.js';
import { fitInfo } from '../fit.js';
import { frameRate } from '../codec/frame-rate.js';
import { parseSps, spsOfAvcc, type VideoParameters } from '../codec/h264.js';
import { parseHevcSps, spsOfHvcc } from '../codec/h265.js';
import { parseAc3Header, parseMp3Header } from '../codec/sync-frame.js';
import { TIMESCALE } from '../source.js';

/** What is known of a track so far. */
export interface FlvEvidence {
  readonly codecId: number;
  /** The sequence header; empty for codecs that have none. */
  readonly extraData: Buffer;
  /** One of the frames. */
  readonly sample: Buffer;
  /** Bits per second; 0 if unknown. */
  readonly bitrate: number;
  /** Frames per second; 0 if unknown. */
  readonly rate: number;
}

/** The media info of an FLV track. It is taken from the codec data, because onMetaData is often wrong. */
export function flvInfo(seen: FlvEvidence): MediaInfo {
  const common = {
    codecId: seen.codecId,
    timescale: TIMESCALE,
    bitrate: seen.bitrate,
    extraData: seen.extraData,
  };
  if (seen.codecId < 1000) {
    const { width, height } = videoParameters(seen.codecId, seen.extraData) ?? { width: 0, height: 0 };
    return fitInfo({ mediaType: 'video', ...common, width, height, ...frameRate(seen.rate), ceaCaptions: 0 });
  }
  const { sampleRate, channels } = audioParameters(seen) ?? { sampleRate: 44100, channels: 2 };
  const channelLayout = defaultLayout(channels);
  return fitInfo({ mediaType: 'audio', ...common, channels, bitsPerSample: 16, sampleRate, channelLayout });
}

/** True if frames of this codec cannot be decoded without a sequence header. */
export function needsConfig(codecId: number): boolean {
  return codecId === Codec.H264 || codecId === Codec.H265 || codecId === Codec.AAC;
}

function videoParameters(codecId: number, config: Buffer): VideoParameters | undefined {
  const sps = codecId === Codec.H264 ? spsOfAvcc(config) : spsOfHvcc(config);
  if (sps === undefined) return undefined;
  return codecId === Codec.H264 ? parseSps(sps) : parseHevcSps(sps);
}

function audioParameters({ codecId, extraData, sample }: FlvEvidence): AudioParameters | undefined {
  switch (codecId) {
    case Codec.AAC:
      return parseAudioSpecificConfig(extraData);
    case Codec.OPUS:
      return parseOpusHead(extraData) ?? { sampleRate: 48000, channels: 2 };
    case Codec.MP3:
      return parseMp3Header(sample);
    default:
      return parseAc3Header(sample);
  }
}
