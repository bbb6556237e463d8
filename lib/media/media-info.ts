interface CommonInfo {
  /** One of {@link Codec}. */
  readonly codecId: number;
  /** Timescale units per second, for dts, created and pts delay; above 0, usually 90000. */
  readonly timescale: number;
  /** Bits per second; 0 if not known. */
  readonly bitrate: number;
  /** Codec private data: avcC, hvcC, AudioSpecificConfig or OpusHead; empty for codecs without private data. */
  readonly extraData: Buffer;
}

/** Media info of a video track. Sizes in pixels; the frame rate is a fraction. */
export interface VideoInfo extends CommonInfo {
  readonly mediaType: 'video';
  readonly width: number;
  readonly height: number;
  readonly frameRateNum: number;
  readonly frameRateDenom: number;
  readonly ceaCaptions: number;
}

/** Media info of an audio track. */
export interface AudioInfo extends CommonInfo {
  readonly mediaType: 'audio';
  readonly channels: number;
  readonly bitsPerSample: number;
  /** Samples per second. */
  readonly sampleRate: number;
  /** Bit mask of speakers. */
  readonly channelLayout: bigint;
}

/** The media info of a track. */
export type MediaInfo = VideoInfo | AudioInfo;

/** True if both describe the same media, the private data included. Such a media info is not announced again. */
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
