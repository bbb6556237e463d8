import { Codec } from '../media/codec.js';
import type { Amf0Object } from './amf0/amf0-writer.js';
import { fourCcOf } from './media-tags.js';

/** Bit of a FourCC's mask: the client can encode it. */
const CAN_ENCODE = 2;
/** Bit of a FourCC's mask: the server passes the codec on as it is. */
const CAN_FORWARD = 4;
/** Bit of capsEx: the client follows NetConnection.Connect.ReconnectRequest. */
const CAPS_RECONNECT = 1;
/** Bit of capsEx: the server reads the ModEx prefixes of a message. */
const CAPS_MOD_EX = 4;

/** The values of `kmp_rtmp_out_enhanced`. */
export type EnhancedMode = 'auto' | 'on' | 'off';

/** The codecs that need Enhanced RTMP's audio header; `auto` sends H.265 as the module does, unannounced. */
const ANNOUNCED: readonly number[] = [Codec.OPUS, Codec.AC3, Codec.EAC3];

/** True for codecs that classic RTMP cannot carry. They are sent only if `kmp_rtmp_out_enhanced` allows it. */
export function needsEnhanced(codecId: number): boolean {
  return ANNOUNCED.includes(codecId);
}

/** All codecs that are sent by FourCC. */
const BY_FOURCC: readonly number[] = [Codec.H265, Codec.AC3, Codec.EAC3, Codec.OPUS];

/** FourCCs that lib/source/flv reads, those of codecs with an FLV id of their own included. */
const RELAYED_VIDEO: readonly string[] = ['avc1', 'hvc1'];
const RELAYED_AUDIO: readonly string[] = ['mp4a', '.mp3', 'Opus', 'ac-3', 'ec-3'];

/**
 * The properties that connect gets for Enhanced RTMP (docs/protocol/enhanced-rtmp.md, Connect properties).
 *
 * @param mode as of `kmp_rtmp_out_enhanced`. `on`: all codecs that can be sent by FourCC are announced, since tracks
 *   may join later. `auto`: those of `codecs`, and only if one of them needs Enhanced RTMP: some servers refuse a
 *   publisher that announces more than it uses. `off`: none
 * @param codecs ids of the codecs of the tracks that are known
 * @returns undefined if nothing is announced
 */
export function enhancedProperties(mode: EnhancedMode, codecs: readonly number[]): Amf0Object | undefined {
  if (mode === 'on') return properties(BY_FOURCC);
  return mode === 'auto' && codecs.some(needsEnhanced) ? properties(codecs) : undefined;
}

/**
 * The properties of a server's answer to connect: the codecs that it takes by FourCC and passes on unchanged
 * (docs/protocol/enhanced-rtmp.md, Connect properties).
 */
export function relayedFourCcs(): Amf0Object {
  return {
    videoFourCcInfoMap: fourCcMap(RELAYED_VIDEO),
    audioFourCcInfoMap: fourCcMap(RELAYED_AUDIO),
    capsEx: CAPS_MOD_EX,
  };
}

function fourCcMap(fourCcs: readonly string[]): Amf0Object {
  return Object.fromEntries(fourCcs.map((fourCc) => [fourCc, CAN_FORWARD]));
}

function properties(codecs: readonly number[]): Amf0Object {
  const video: Record<string, number> = {};
  const audio: Record<string, number> = {};
  for (const codec of codecs) {
    const fourCc = fourCcOf(codec);
    if (fourCc !== undefined) (codec >= 1000 ? audio : video)[fourCc] = CAN_ENCODE;
  }
  return {
    fourCcList: [...Object.keys(video), ...Object.keys(audio)],
    ...(Object.keys(video).length > 0 ? { videoFourCcInfoMap: video } : {}),
    audioFourCcInfoMap: audio,
    capsEx: CAPS_RECONNECT,
  };
}
