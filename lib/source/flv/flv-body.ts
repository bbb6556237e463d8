import { Codec } from '../../media/codec.js';

/** The content of an FLV audio or video tag. */
export type FlvBody =
  /** Codec private data: a sequence header. */
  | { readonly kind: 'config'; readonly codecId: number; readonly data: Buffer }
  /** A frame. `cts` is pts - dts in ms. */
  | {
      readonly kind: 'frame';
      readonly codecId: number;
      readonly key: boolean;
      readonly cts: number;
      readonly data: Buffer;
    }
  /** Nothing to send: the end of a sequence, a command. */
  | { readonly kind: 'none' }
  /** Media that KMP cannot carry. `extra`: a further track, which the first one of its type is complete without. */
  | { readonly kind: 'unsupported'; readonly what: string; readonly extra?: true };

const NONE: FlvBody = { kind: 'none' };

/**
 * Enhanced packet types (docs/protocol/enhanced-rtmp.md, Video messages); audio types have the same numbers where both
 * exist.
 */
const Packet = { START: 0, CODED: 1, END: 2, CODED_X: 3, VIDEO_MULTITRACK: 6, AUDIO_MULTITRACK: 5, MOD_EX: 7 } as const;
const COMMAND = 5;
const KEY = 1;

/** Legacy codec numbers; some encoders write 12 for H.265. */
const LEGACY_VIDEO: ReadonlyMap<number, number> = new Map([
  [7, Codec.H264],
  [12, Codec.H265],
]);
const VIDEO_FOURCC: ReadonlyMap<string, number> = new Map([
  ['avc1', Codec.H264],
  ['hvc1', Codec.H265],
]);
const AUDIO_FOURCC: ReadonlyMap<string, number> = new Map([
  ['mp4a', Codec.AAC],
  ['.mp3', Codec.MP3],
  ['Opus', Codec.OPUS],
  ['ac-3', Codec.AC3],
  ['ec-3', Codec.EAC3],
]);

/** Reads the body of a video tag, legacy or enhanced. */
export function parseVideoBody(body: Buffer): FlvBody {
  const [first = 0] = body;
  if (body.length < 5) return NONE;
  if ((first & 0x80) !== 0) return enhancedVideo(body);
  const frameType = first >> 4;
  if (frameType === COMMAND) return NONE;
  const codecId = LEGACY_VIDEO.get(first & 15);
  if (codecId === undefined) return { kind: 'unsupported', what: `video codec ${first & 15}` };
  const data = body.subarray(5);
  if (body[1] === 0) return { kind: 'config', codecId, data };
  if (body[1] !== 1) return NONE;
  return { kind: 'frame', codecId, key: frameType === KEY, cts: signed24(body, 2), data };
}

function enhancedVideo(body: Buffer): FlvBody {
  const frameType = ((body[0] ?? 0) >> 4) & 7;
  const { packetType, at } = skipModEx(body);
  if (frameType === COMMAND) return NONE;
  if (packetType === Packet.VIDEO_MULTITRACK) return { kind: 'unsupported', what: 'a second video track', extra: true };
  const fourCc = body.toString('latin1', at, at + 4);
  const codecId = VIDEO_FOURCC.get(fourCc);
  if (codecId === undefined) return { kind: 'unsupported', what: `video codec ${fourCc}` };
  if (packetType === Packet.START) return { kind: 'config', codecId, data: body.subarray(at + 4) };
  const key = frameType === KEY;
  if (packetType === Packet.CODED_X) return { kind: 'frame', codecId, key, cts: 0, data: body.subarray(at + 4) };
  if (packetType !== Packet.CODED || body.length < at + 7) return NONE;
  return { kind: 'frame', codecId, key, cts: signed24(body, at + 4), data: body.subarray(at + 7) };
}

/** Reads the body of an audio tag, legacy or enhanced. */
export function parseAudioBody(body: Buffer): FlvBody {
  const [first = 0] = body;
  if (body.length < 2) return NONE;
  const format = first >> 4;
  if (format === 9) return enhancedAudio(body);
  if (format === 10) {
    const data = body.subarray(2);
    return body[1] === 0 ? { kind: 'config', codecId: Codec.AAC, data } : audioFrame(Codec.AAC, data);
  }
  // 14 is MP3 at 8 kHz.
  if (format === 2 || format === 14) return audioFrame(Codec.MP3, body.subarray(1));
  return { kind: 'unsupported', what: `sound format ${format}` };
}

function enhancedAudio(body: Buffer): FlvBody {
  const { packetType, at } = skipModEx(body);
  if (packetType === Packet.AUDIO_MULTITRACK) return { kind: 'unsupported', what: 'a second audio track', extra: true };
  const fourCc = body.toString('latin1', at, at + 4);
  const codecId = AUDIO_FOURCC.get(fourCc);
  if (codecId === undefined) return { kind: 'unsupported', what: `audio codec ${fourCc}` };
  const data = body.subarray(at + 4);
  if (packetType === Packet.START) return { kind: 'config', codecId, data };
  return packetType === Packet.CODED ? audioFrame(codecId, data) : NONE;
}

function audioFrame(codecId: number, data: Buffer): FlvBody {
  return { kind: 'frame', codecId, key: true, cts: 0, data };
}

/** Skips the ModEx prefixes; returns the packet type that follows, and its offset. */
function skipModEx(body: Buffer): { packetType: number; at: number } {
  let packetType = (body[0] ?? 0) & 15;
  let at = 1;
  while (packetType === Packet.MOD_EX && at < body.length) {
    let size = (body[at] ?? 0) + 1;
    at += 1;
    if (size === 256 && at + 2 <= body.length) {
      size = body.readUInt16BE(at) + 1;
      at += 2;
    }
    at += size;
    packetType = (body[at] ?? 0) & 15;
    at += 1;
  }
  return { packetType, at };
}

function signed24(bytes: Buffer, at: number): number {
  return bytes.readIntBE(at, 3);
}
