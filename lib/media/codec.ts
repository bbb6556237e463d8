/** The two kinds of track in an RTMP stream. */
export type MediaType = 'video' | 'audio';

/**
 * Codec ids of KMP (docs/protocol/kmp.md, Codec ids). A video id is the FLV codec id; an audio id is 1000 + the FLV
 * sound format.
 */
export const Codec = {
  H264: 7,
  H265: 8,
  MP3: 1002,
  AAC: 1010,
  AC3: 1016,
  EAC3: 1017,
  OPUS: 1018,
} as const;

const names = new Map<number, string>([
  [Codec.H264, 'H.264'],
  [Codec.H265, 'H.265'],
  [Codec.MP3, 'MP3'],
  [Codec.AAC, 'AAC'],
  [Codec.AC3, 'AC-3'],
  [Codec.EAC3, 'E-AC-3'],
  [Codec.OPUS, 'Opus'],
]);

/** The common name of a codec, or `codec N` for an unknown one. */
export function codecName(codecId: number): string {
  return names.get(codecId) ?? `codec ${codecId}`;
}
