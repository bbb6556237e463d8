import { writeAmf0, type Amf0Object, type Amf0Value } from '../rtmp/amf0/amf0-writer.js';
import { relayedFourCcs } from '../rtmp/enhanced.js';
import { setChunkSize, setPeerBandwidth, windowAckSize } from '../rtmp/message/control.js';
import { MessageType } from '../rtmp/message-type.js';
import type { Refusal } from './ingest-stream.js';

/** A message to be sent to the publisher. */
export interface Reply {
  readonly type: number;
  readonly payload: Buffer;
  /** Message stream id; default 0. */
  readonly streamId?: number;
}

/** Numbers that the ingest announces in its answer to connect. */
export interface SessionSettings {
  /** Chunk size that the ingest announces for its messages, bytes. */
  readonly chunkSize: number;
  /** Bytes after which the publisher must acknowledge; also its bandwidth limit. */
  readonly window: number;
}

/** A command of the ingest on message stream 0. */
export function command(name: string, transaction: number, ...args: Amf0Value[]): Reply {
  return { type: MessageType.command, payload: writeAmf0(name, transaction, ...args) };
}

/** The `_error` of a transaction. */
export function errorReply(transaction: number, { code, description }: Refusal): Reply {
  return command('_error', transaction, null, { level: 'error', code, description });
}

/** `onStatus` of a message stream. */
export function statusReply(streamId: number, level: 'status' | 'error', { code, description }: Refusal): Reply {
  const payload = writeAmf0('onStatus', 0, null, { level, code, description });
  return { type: MessageType.command, payload, streamId };
}

/**
 * The answer to an accepted connect (docs/protocol/rtmp.md, Commands): window, bandwidth, chunk size, `_result`.
 *
 * @param enhanced the publisher speaks Enhanced RTMP: the answer lists the codecs that are taken by FourCC
 */
export function connectReplies(transaction: number, enhanced: boolean, settings: SessionSettings): Reply[] {
  const { window, chunkSize } = settings;
  const server: Amf0Object = { fmsVer: 'FMS/3,0,1,123', capabilities: 31 };
  const info = {
    level: 'status',
    code: 'NetConnection.Connect.Success',
    description: 'Connection succeeded.',
    objectEncoding: 0,
  };
  return [
    windowAckSize(window),
    setPeerBandwidth(window, 'dynamic'),
    setChunkSize(chunkSize),
    command('_result', transaction, server, enhanced ? { ...info, ...relayedFourCcs() } : info),
  ];
}
