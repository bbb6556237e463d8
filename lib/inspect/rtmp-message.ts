import { readControl } from '../rtmp/message/control.js';
import { MessageType } from '../rtmp/message-type.js';
import { Amf0Reader } from '../rtmp/amf0/amf0-reader.js';
import { RtmpError } from '../rtmp/errors.js';
import { describeAudio, describeVideo, type MediaBody } from './rtmp-media.js';

/** The description of a message body. */
export interface MessageBody {
  readonly name: string;
  readonly values?: unknown[];
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly media?: MediaBody;
  readonly problem?: string;
}

const names: ReadonlyMap<number, string> = new Map([
  [MessageType.setChunkSize, 'setChunkSize'],
  [MessageType.abort, 'abort'],
  [MessageType.acknowledgement, 'ack'],
  [MessageType.userControl, 'userControl'],
  [MessageType.windowAckSize, 'windowAckSize'],
  [MessageType.setPeerBandwidth, 'peerBandwidth'],
  [MessageType.audio, 'audio'],
  [MessageType.video, 'video'],
  [15, 'data (AMF3)'],
  [16, 'shared object (AMF3)'],
  [17, 'command (AMF3)'],
  [MessageType.data, 'data'],
  [19, 'shared object'],
  [MessageType.command, 'command'],
  [22, 'aggregate'],
]);

/** Describes the body of a message as far as it can be read; never throws. */
export function describeMessage(type: number, payload: Buffer): MessageBody {
  const name = names.get(type) ?? `type ${type}`;
  switch (type) {
    case MessageType.audio:
    case MessageType.video: {
      const media = type === MessageType.video ? describeVideo(payload) : describeAudio(payload);
      const { problem } = media;
      return { name, media, fields: media.fields, ...(problem === undefined ? {} : { problem }) };
    }
    case 15:
    case 17:
      // AMF0 behind one byte.
      return { name, ...amfValues(payload.subarray(1)) };
    case MessageType.data:
    case MessageType.command:
      return { name, ...amfValues(payload) };
    default:
      return control(name, type, payload);
  }
}

function amfValues(payload: Buffer): { values: unknown[]; problem?: string } {
  const reader = new Amf0Reader(payload);
  const values: unknown[] = [];
  try {
    while (!reader.atEnd) values.push(reader.next());
    return { values };
  } catch (error) {
    if (error instanceof RtmpError) return { values, problem: error.message };
    throw error;
  }
}

function control(name: string, type: number, payload: Buffer): MessageBody {
  try {
    const message = readControl(type, payload);
    if (message !== undefined) {
      const { kind, ...fields } = message;
      return { name: kind, fields };
    }
  } catch (error) {
    if (error instanceof RtmpError) return { name, problem: error.message };
    throw error;
  }
  const event = type === MessageType.userControl ? { event: payload.readUInt16BE(0) } : undefined;
  return { name, ...(event === undefined ? {} : { fields: event }) };
}
