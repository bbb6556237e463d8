import type { MediaType } from '../../media/codec.js';
import type { MediaInfo } from '../../media/media-info.js';
import { parseAudioBody, parseVideoBody, type FlvBody } from './flv-body.js';
import { flvInfo, needsConfig } from './flv-info.js';
import type { StreamRates } from './flv-metadata.js';

const NONE = Buffer.alloc(0);

/** What one tag contains. */
export type ParsedMedia =
  | {
      readonly kind: 'frame';
      readonly info: MediaInfo;
      readonly key: boolean;
      readonly cts: number;
      readonly data: Buffer;
    }
  /** The track's media info is known, or has changed. */
  | { readonly kind: 'info'; readonly info: MediaInfo }
  | { readonly kind: 'none' }
  /** @param ignorable whether the stream is complete without it */
  | { readonly kind: 'unsupported'; readonly what: string; readonly ignorable: boolean };

/** Reads the bodies of the audio or the video tags of one live stream: FLV tags, or RTMP messages. */
export class FlvTrackParser {
  private info: MediaInfo | undefined;

  constructor(private readonly mediaType: MediaType) {}

  /** @param payload the body of an audio or a video tag */
  take(payload: Buffer, rates: StreamRates): ParsedMedia {
    const body = this.mediaType === 'video' ? parseVideoBody(payload) : parseAudioBody(payload);
    switch (body.kind) {
      case 'unsupported':
        return { kind: 'unsupported', what: body.what, ignorable: body.extra === true };
      case 'config':
        return this.configure(body, rates);
      case 'frame':
        return this.frame(body, rates);
      default:
        return { kind: 'none' };
    }
  }

  private configure({ codecId, data }: FlvBody & { kind: 'config' }, rates: StreamRates): ParsedMedia {
    const { info } = this;
    if (data.length === 0 || (info?.codecId === codecId && info.extraData.equals(data))) return { kind: 'none' };
    this.info = this.infoOf(codecId, Buffer.from(data), NONE, rates);
    return { kind: 'info', info: this.info };
  }

  private frame(body: FlvBody & { kind: 'frame' }, rates: StreamRates): ParsedMedia {
    const { codecId, key, cts, data } = body;
    if (data.length === 0) return { kind: 'none' };
    if (this.info?.codecId !== codecId) {
      // Frames before their sequence header cannot be decoded.
      if (needsConfig(codecId)) return { kind: 'none' };
      this.info = this.infoOf(codecId, NONE, data, rates);
    }
    return { kind: 'frame', info: this.info, key, cts, data };
  }

  private infoOf(codecId: number, extraData: Buffer, sample: Buffer, rates: StreamRates): MediaInfo {
    const bitrate = this.mediaType === 'video' ? rates.videoBitrate : rates.audioBitrate;
    return flvInfo({ codecId, extraData, sample, bitrate, rate: rates.frameRate });
  }
}
