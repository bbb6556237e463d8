import { parseAmf, type Amf, type ParsedMessage } from '../rtmp/rtmp-parse.js';
import type { IngestConnection } from './script-connection.js';

/** A message of a stream as a player sees it: of H.264 and AAC, unless `text` is left alone. */
export interface MediaMessage {
  readonly kind: 'metadata' | 'onFI' | 'video header' | 'audio header' | 'video' | 'audio';
  readonly streamId: number;
  readonly ms: number;
  readonly fmt: number;
  readonly key: boolean;
  /** Composition time of H.264. */
  readonly cts: number;
  /** What stands behind the tag's head. */
  readonly text: string;
  readonly values: Amf[];
}

function describeMessage(message: ParsedMessage): MediaMessage | undefined {
  const { type, payload, streamId, timestamp: ms, fmt } = message;
  const common = { streamId, ms, fmt, key: false, cts: 0, values: [] };
  if (type === 18) {
    const values = parseAmf(payload);
    return { ...common, kind: values[0] === 'onFI' ? 'onFI' : 'metadata', text: '', values };
  }
  if (type === 9) {
    const kind = payload[1] === 0 ? 'video header' : 'video';
    const key = (payload.readUInt8(0) & 0x70) === 0x10;
    return { ...common, kind, key, cts: payload.readIntBE(2, 3), text: payload.toString('latin1', 5) };
  }
  if (type === 8) {
    const kind = payload[1] === 0 ? 'audio header' : 'audio';
    return { ...common, kind, text: payload.toString('latin1', 2) };
  }
  return undefined;
}

/** All media messages so far, in order; of one stream, or of all. */
export function mediaOf(connection: IngestConnection, streamId?: number): MediaMessage[] {
  return connection.messages
    .map(describeMessage)
    .filter((message) => message !== undefined)
    .filter((message) => streamId === undefined || message.streamId === streamId);
}

/** The frames so far, by their payloads; what the specs send there are names. */
export function framesOf(connection: IngestConnection, streamId?: number): string[] {
  return mediaOf(connection, streamId)
    .filter(({ kind }) => kind === 'video' || kind === 'audio')
    .map(({ text }) => text);
}

/** The video frames of a connection so far, by their payloads; and those of audio. */
export const videoOf = (connection: IngestConnection): string[] =>
  framesOf(connection).filter((name) => name.startsWith('v'));
export const audioOf = (connection: IngestConnection): string[] =>
  framesOf(connection).filter((name) => name.startsWith('a'));

/** The kinds of messages so far; runs of frames are one. */
export function kindsOf(connection: IngestConnection, streamId?: number): string[] {
  return mediaOf(connection, streamId)
    .map(({ kind }) => kind)
    .filter((kind, i, all) => kind !== all[i - 1]);
}
