import { Codec } from './codec.js';
import type { AudioInfo } from './media-info.js';
import { readAacConfig, silentAac } from './silent-aac.js';

/** A frame of audio that is silent, and how long it lasts. */
export interface SilentFrame {
  readonly data: Buffer;
  /** Samples that it lasts, and how many there are in a second. */
  readonly samples: number;
  readonly sampleRate: number;
}

/** TOC of an Opus packet of one CELT frame of 20 ms, full band (RFC 6716, 3.1: configuration 31, code 0). */
const OPUS_TOC = 31 << 3;
const OPUS_STEREO = 1 << 2;

/** The frame: its first symbol is the flag of silence (RFC 6716, 4.3), with nearly the whole range of the decoder. */
const OPUS_SILENCE = [0xff, 0xfe];

/**
 * A silent frame for a track: AAC-LC, also as the core of HE-AAC, with up to 7.1 channels, and Opus with one or two
 * channels. undefined for other media: it pauses instead.
 */
export function silentFrame(info: AudioInfo): SilentFrame | undefined {
  switch (info.codecId) {
    case Codec.AAC: {
      const config = readAacConfig(info.extraData);
      if (config === undefined) return undefined;
      const { samples, sampleRate, channelConfiguration } = config;
      return { data: silentAac(channelConfiguration), samples, sampleRate };
    }
    case Codec.OPUS: {
      if (info.channels !== 1 && info.channels !== 2) return undefined;
      const toc = OPUS_TOC | (info.channels === 2 ? OPUS_STEREO : 0);
      return { data: Buffer.from([toc, ...OPUS_SILENCE]), samples: 960, sampleRate: 48000 };
    }
    default:
      return undefined;
  }
}
