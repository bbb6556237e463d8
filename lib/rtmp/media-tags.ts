import { Codec, type MediaType } from '../media/codec.js';
import type { AudioInfo, MediaInfo } from '../media/media-info.js';
import { MessageType } from './message-type.js';

/** Frame type, the high nibble of the first byte of a video message. */
const KEY = 1;
const INTER = 2;
/**
 * Enhanced RTMP: bit 7 of the first byte says that a FourCC follows (docs/protocol/enhanced-rtmp.md, Video messages).
 */
const EX_VIDEO = 0x80;
/** Enhanced RTMP: sound format 9 says that a FourCC follows. */
const EX_AUDIO = 0x90;

const PacketType = { sequenceStart: 0, codedFrames: 1 } as const;

const fourCcs = new Map<number, string>([
  [Codec.H265, 'hvc1'],
  [Codec.AC3, 'ac-3'],
  [Codec.EAC3, 'ec-3'],
  [Codec.OPUS, 'Opus'],
]);

/** The FourCC of a codec; undefined for codecs with an FLV id of their own. */
export function fourCcOf(codecId: number): string | undefined {
  return fourCcs.get(codecId);
}

const supported: Readonly<Record<MediaType, ReadonlySet<number>>> = {
  video: new Set([Codec.H264, Codec.H265]),
  audio: new Set([Codec.AAC, Codec.MP3, Codec.AC3, Codec.EAC3, Codec.OPUS]),
};

/** True if the publisher can write the codec as this media type. */
export function isSupported(mediaType: MediaType, codecId: number): boolean {
  return supported[mediaType].has(codecId);
}

/**
 * The number that stands for a codec in the metadata (docs/protocol/enhanced-rtmp.md, Metadata fields): the FLV id, or
 * the FourCC as a big-endian number.
 *
 * @param enhanced H.265 goes by its FourCC; otherwise by 8, as in the recording of the module
 */
export function metadataCodecId(codecId: number, enhanced: boolean): number {
  const fourCc = fourCcs.get(codecId);
  if (fourCc === undefined || (codecId === Codec.H265 && !enhanced)) return codecId >= 1000 ? codecId - 1000 : codecId;
  return Buffer.from(fourCc, 'latin1').readUInt32BE();
}

/**
 * The sound byte: `format << 4 | rate << 2 | size << 1 | stereo` (docs/protocol/rtmp.md, Frames). AAC decoders use
 * only the format; the other bits follow the media info all the same.
 */
export function soundByte(info: AudioInfo): number {
  const { sampleRate } = info;
  const rate = sampleRate <= 8000 ? 0 : sampleRate <= 16000 ? 1 : sampleRate <= 32000 ? 2 : 3;
  const size = info.bitsPerSample === 8 ? 0 : 1;
  const stereo = info.channels === 1 ? 0 : 1;
  return ((info.codecId - 1000) << 4) | (rate << 2) | (size << 1) | stereo;
}

/**
 * The fixed bytes in front of a track's payloads (docs/protocol/rtmp.md, Frames; docs/protocol/enhanced-rtmp.md,
 * Video messages). Created once per media info.
 *
 *     H.264  17|27 01 cts(3)                 AAC  sound 01           AC-3, E-AC-3, Opus  91 fourcc
 *     H.265  91|a1 hvc1 cts(3)               MP3  sound
 */
export class TagHead {
  readonly type: number;
  /**
   * The bytes; {@link set} changes them in place.
   */
  readonly bytes: Uint8Array;
  readonly size: number;
  private readonly ctsAt: number;
  private readonly keyByte: number;
  private readonly interByte: number;

  constructor(info: MediaInfo) {
    this.type = info.mediaType === 'video' ? MessageType.video : MessageType.audio;
    const fourCc = fourCcs.get(info.codecId);
    if (info.mediaType === 'video') {
      const ex = fourCc === undefined ? 0 : EX_VIDEO;
      const low = fourCc === undefined ? info.codecId : PacketType.codedFrames;
      this.keyByte = ex | (KEY << 4) | low;
      this.interByte = ex | (INTER << 4) | low;
      const rest = fourCc === undefined ? [1] : [...Buffer.from(fourCc, 'latin1')];
      this.bytes = Uint8Array.from([this.keyByte, ...rest, 0, 0, 0]);
      this.ctsAt = 1 + rest.length;
    } else {
      this.keyByte = this.interByte = fourCc === undefined ? soundByte(info) : EX_AUDIO | PacketType.codedFrames;
      const rest = fourCc === undefined ? (info.codecId === Codec.AAC ? [1] : []) : [...Buffer.from(fourCc, 'latin1')];
      this.bytes = Uint8Array.from([this.keyByte, ...rest]);
      this.ctsAt = 0;
    }
    this.size = this.bytes.length;
  }

  /**
   * Sets the bytes that differ between frames.
   *
   * @param cts composition time in ms, 24 bits, may be negative
   */
  set(isKey: boolean, cts: number): void {
    const { bytes, ctsAt } = this;
    if (ctsAt === 0) return;
    bytes[0] = isKey ? this.keyByte : this.interByte;
    bytes[ctsAt] = cts >> 16;
    bytes[ctsAt + 1] = cts >> 8;
    bytes[ctsAt + 2] = cts;
  }
}

const needPrivateData: ReadonlySet<number> = new Set([Codec.H264, Codec.H265, Codec.AAC]);

/** True if the codec cannot be decoded without private data, and the media info has none. */
export function lacksPrivateData({ codecId, extraData }: MediaInfo): boolean {
  return extraData.length === 0 && needPrivateData.has(codecId);
}

/**
 * The body of the sequence header message. undefined for codecs that have none (MP3, AC-3, E-AC-3, Opus without a
 * head), and where the private data is missing: an empty header would end the decoding.
 */
export function sequenceHeader(info: MediaInfo): Buffer | undefined {
  if (lacksPrivateData(info)) return undefined;
  const fourCc = fourCcs.get(info.codecId);
  if (info.mediaType === 'video') {
    const head =
      fourCc === undefined
        ? Buffer.from([(KEY << 4) | info.codecId, 0, 0, 0, 0])
        : Buffer.concat([
            Buffer.from([EX_VIDEO | (KEY << 4) | PacketType.sequenceStart]),
            Buffer.from(fourCc, 'latin1'),
          ]);
    return Buffer.concat([head, info.extraData]);
  }
  if (info.codecId === Codec.AAC) return Buffer.concat([Buffer.from([soundByte(info), 0]), info.extraData]);
  if (info.codecId === Codec.OPUS && info.extraData.length > 0) {
    return Buffer.concat([
      Buffer.from([EX_AUDIO | PacketType.sequenceStart]),
      Buffer.from('Opus', 'latin1'),
      info.extraData,
    ]);
  }
  return undefined;
}
