import { RtmpError } from '../errors.js';
import { MessageType } from '../message-type.js';

/** Events of User Control messages (RTMP 1.0, 7.1.7). */
export const UserEvent = {
  streamBegin: 0,
  streamEof: 1,
  streamDry: 2,
  setBufferLength: 3,
  streamIsRecorded: 4,
  pingRequest: 6,
  pingResponse: 7,
} as const;

/** Limit types of Set Peer Bandwidth, by number. */
const LIMIT_TYPES = ['hard', 'soft', 'dynamic'] as const;
export type LimitType = (typeof LIMIT_TYPES)[number];

export type ControlMessage =
  | { readonly kind: 'setChunkSize'; readonly size: number }
  | { readonly kind: 'abort'; readonly chunkStreamId: number }
  /** Bytes that the peer has received, modulo 2^32. */
  | { readonly kind: 'ack'; readonly sequence: number }
  /** The peer asks for an acknowledgement every `window` bytes. */
  | { readonly kind: 'windowAckSize'; readonly window: number }
  | { readonly kind: 'peerBandwidth'; readonly window: number; readonly limitType: LimitType }
  | { readonly kind: 'streamBegin' | 'streamEof' | 'streamDry' | 'streamIsRecorded'; readonly streamId: number }
  | { readonly kind: 'setBufferLength'; readonly streamId: number; readonly milliseconds: number }
  | { readonly kind: 'ping'; readonly timestamp: number }
  | { readonly kind: 'pong'; readonly timestamp: number };

/** A message to be written on chunk stream 2, message stream 0. */
export interface ControlOut {
  readonly type: number;
  readonly payload: Buffer;
}

function need(type: number, payload: Buffer, size: number): void {
  if (payload.length >= size) return;
  throw new RtmpError(
    'rtmp_bad_message',
    `a control message (type ${type}) of ${payload.length} bytes; at least ${size} are required`,
  );
}

/**
 * Reads a protocol control or User Control message. undefined for other types, and for unknown events. Bytes behind
 * the fields are ignored.
 *
 * @throws RtmpError `rtmp_bad_message` if the body is too short
 */
export function readControl(type: number, payload: Buffer): ControlMessage | undefined {
  if (type === MessageType.userControl) return readUserControl(payload);
  if (type < MessageType.setChunkSize || type > MessageType.setPeerBandwidth) return undefined;
  need(type, payload, type === MessageType.setPeerBandwidth ? 5 : 4);
  const value = payload.readUInt32BE(0);
  switch (type) {
    case MessageType.setChunkSize:
      return { kind: 'setChunkSize', size: value & 0x7fffffff };
    case MessageType.abort:
      return { kind: 'abort', chunkStreamId: value };
    case MessageType.acknowledgement:
      return { kind: 'ack', sequence: value };
    case MessageType.windowAckSize:
      return { kind: 'windowAckSize', window: value };
    default:
      // An undefined number is taken as the mildest type.
      return { kind: 'peerBandwidth', window: value, limitType: LIMIT_TYPES[payload.readUInt8(4)] ?? 'dynamic' };
  }
}

function readUserControl(payload: Buffer): ControlMessage | undefined {
  need(MessageType.userControl, payload, 2);
  const event = payload.readUInt16BE(0);
  const { streamBegin, streamEof, streamDry, streamIsRecorded, setBufferLength, pingRequest, pingResponse } = UserEvent;
  if (event > pingResponse || event === 5) return undefined;
  need(MessageType.userControl, payload, event === setBufferLength ? 10 : 6);
  const value = payload.readUInt32BE(2);
  switch (event) {
    case streamBegin:
      return { kind: 'streamBegin', streamId: value };
    case streamEof:
      return { kind: 'streamEof', streamId: value };
    case streamDry:
      return { kind: 'streamDry', streamId: value };
    case streamIsRecorded:
      return { kind: 'streamIsRecorded', streamId: value };
    case setBufferLength:
      return { kind: 'setBufferLength', streamId: value, milliseconds: payload.readUInt32BE(6) };
    default:
      return event === pingRequest ? { kind: 'ping', timestamp: value } : { kind: 'pong', timestamp: value };
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function userEvent(event: number, value: number): ControlOut {
  return { type: MessageType.userControl, payload: Buffer.concat([Buffer.of(0, event), uint32(value)]) };
}

/** The answer to a ping: the same timestamp. */
export function pingResponse(timestamp: number): ControlOut {
  return userEvent(UserEvent.pingResponse, timestamp);
}

export function pingRequest(timestamp: number): ControlOut {
  return userEvent(UserEvent.pingRequest, timestamp);
}

export function streamBegin(streamId: number): ControlOut {
  return userEvent(UserEvent.streamBegin, streamId);
}

/** @param sequence bytes received, modulo 2^32 */
export function acknowledgement(sequence: number): ControlOut {
  return { type: MessageType.acknowledgement, payload: uint32(sequence) };
}

/**
 * @param window bytes after which the peer has to acknowledge
 */
export function windowAckSize(window: number): ControlOut {
  return { type: MessageType.windowAckSize, payload: uint32(window) };
}

export function setPeerBandwidth(window: number, limitType: LimitType): ControlOut {
  const payload = Buffer.concat([uint32(window), Buffer.of(LIMIT_TYPES.indexOf(limitType))]);
  return { type: MessageType.setPeerBandwidth, payload };
}

export function setChunkSize(size: number): ControlOut {
  return { type: MessageType.setChunkSize, payload: uint32(size) };
}
