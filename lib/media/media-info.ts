interface CommonInfo {
  /** One of {@link Codec}. */
  readonly codecId: number;
  /** Units a second of dts, created and pts delay; above 0, usually 90000. */
  readonly timescale: number;
  /** Bits a second; 0 when not known. */
  readonly bitrate: number;
  /** Codec private data: avcC, hvcC, AudioSpecificConfig, OpusHead; empty for codecs without. */
  readonly extraData: Buffer;
}

/** What a video track is made of. Sizes in pixels; the frame rate as a fraction. */
export interface VideoInfo extends CommonInfo {
  readonly mediaType: 'video';
  readonly width: number;
  readonly height: number;
  readonly frameRateNum: number;
  readonly frameRateDenom: number;
  readonly ceaCaptions: number;
}

/** What an audio track is made of. */
export interface AudioInfo extends CommonInfo {
  readonly mediaType: 'audio';
  readonly channels: number;
  readonly bitsPerSample: number;
  /** Samples a second. */
  readonly sampleRate: number;
  /** Bit mask of speakers. */
  readonly channelLayout: bigint;
}

/** The media info of a track. */
export type MediaInfo = VideoInfo | AudioInfo;

/** True if both describe the same media, byte for byte of the private data: then nothing has to be announced again. */
export function sameMediaInfo(a: MediaInfo, b: MediaInfo): boolean {
  if (a.codecId !== b.codecId || a.timescale !== b.timescale || a.bitrate !== b.bitrate) return false;
  if (!a.extraData.equals(b.extraData)) return false;
  if (a.mediaType === 'video') {
    return (
      b.mediaType === 'video' &&
      a.width === b.width &&
      a.height === b.height &&
      a.frameRateNum === b.frameRateNum &&
      a.frameRateDenom === b.frameRateDenom &&
      a.ceaCaptions === b.ceaCaptions
    );
  }
  return (
    b.mediaType === 'audio' &&
    a.channels === b.channels &&
    a.bitsPerSample === b.bitsPerSample &&
    a.sampleRate === b.sampleRate &&
    a.channelLayout === b.channelLayout
  );
}
