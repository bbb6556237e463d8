import { Codec } from '../media/codec.js';
import type { Amf0Object } from './amf0-writer.js';
import { fourCcOf } from './media-tags.js';

/** Bit of a FourCC's mask: the client can encode it. */
const CAN_ENCODE = 2;
/** Bit of capsEx: the client honours NetConnection.Connect.ReconnectRequest. */
const CAPS_RECONNECT = 1;

/** The codecs that need Enhanced RTMP's audio header; H.265 goes as the module sends it, unannounced. */
const ANNOUNCED: readonly number[] = [Codec.OPUS, Codec.AC3, Codec.EAC3];

/** True for the codecs that legacy RTMP has no place for, and that are sent only where `kmp_rtmp_out_enhanced` allows it. */
export function needsEnhanced(codecId: number): boolean {
  return ANNOUNCED.includes(codecId);
}

/**
 * The properties that connect gets when a codec of Enhanced RTMP is to be sent (docs/protocol/enhanced-rtmp.md,
 * Connect properties); undefined for the classic codecs: some servers refuse a publisher that announces more than it uses.
 */
export function enhancedProperties(codecs: readonly number[]): Amf0Object | undefined {
  if (!codecs.some(needsEnhanced)) return undefined;
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
