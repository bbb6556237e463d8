import { asRecord } from '../rtmp/amf0/amf0-reader.js';
import { writeAmf0, type Amf0Value } from '../rtmp/amf0/amf0-writer.js';
import type { RtmpMessage } from '../rtmp/chunk/chunk-reader.js';
import { isCommand, readCommand, type Command } from '../rtmp/message/command.js';
import { setChunkSize, setPeerBandwidth, streamBegin, windowAckSize } from '../rtmp/message/control.js';
import { MessageType } from '../rtmp/message-type.js';
import type { EndReason, IngestMessage, IngestStream } from './ingest-stream.js';

/** A message to be sent to the publisher. */
export interface Reply {
  readonly type: number;
  readonly payload: Buffer;
  /** Message stream id; default 0. */
  readonly streamId?: number;
}

/** Why a publish is refused, as the publisher gets it. */
export interface Refusal {
  /** e.g. `NetStream.Publish.BadName`. */
  readonly code: string;
  readonly description: string;
}

export interface SessionHost {
  reply(reply: Reply): void;
  /** Creates the stream, or returns why it is refused. */
  publish(app: string, name: string, streamId: number): IngestStream | Refusal;
}

export interface SessionSettings {
  /** Chunk size that the ingest announces for its messages, bytes. */
  readonly chunkSize: number;
  /** Bytes after which the publisher must acknowledge; also its bandwidth limit. */
  readonly window: number;
}

/** Largest number of message streams on a connection. */
const MAX_STREAMS = 1024;
/** Data messages in the AMF3 envelope: a byte, then AMF0. */
const DATA_AMF3 = 15;

/** A publisher's session after the handshake: handles its messages, without a socket. */
export class IngestSession {
  /** undefined before connect. */
  private app: string | undefined;
  private lastStreamId = 0;
  /** Created message streams; undefined if nothing is published on one. */
  private readonly streams = new Map<number, IngestStream | undefined>();

  constructor(
    private readonly host: SessionHost,
    private readonly settings: SessionSettings,
  ) {}

  /** True after connect was accepted. */
  get isConnected(): boolean {
    return this.app !== undefined;
  }

  /** @throws RtmpError for a command that cannot be read */
  take(message: RtmpMessage): void {
    const { type, payload, timestamp, streamId } = message;
    if (isCommand(type)) this.command(readCommand(type, payload), streamId);
    else if (type === MessageType.audio) this.deliver(streamId, { kind: 'audio', timestamp, payload });
    else if (type === MessageType.video) this.deliver(streamId, { kind: 'video', timestamp, payload });
    else if (type === MessageType.data) this.deliver(streamId, { kind: 'data', timestamp, payload });
    else if (type === DATA_AMF3) this.deliver(streamId, { kind: 'data', timestamp, payload: payload.subarray(1) });
  }

  /** The connection is closed. */
  end(reason: EndReason): void {
    for (const stream of this.streams.values()) stream?.finish(reason);
    this.streams.clear();
  }

  private deliver(streamId: number, message: IngestMessage): void {
    this.streams.get(streamId)?.deliver(message);
  }

  private command({ name, transaction, args }: Command, streamId: number): void {
    if (name === 'connect') this.connect(transaction, asRecord(args[0])?.['app']);
    else if (this.app === undefined) return;
    else if (name === 'createStream') this.createStream(transaction);
    else if (name === 'publish') this.publish(this.app, streamId, args[1]);
    else if (name === 'FCUnpublish') this.unpublish((stream) => stream.name === args[1]);
    else if (name === 'closeStream') this.unpublish((stream) => stream.streamId === streamId);
    else if (name === 'deleteStream') this.deleteStream(args[1]);
    else if (name === 'releaseStream' || name === 'FCPublish' || name === '_checkbw')
      this.result(transaction, null, null);
  }

  private connect(transaction: number, app: unknown): void {
    if (typeof app !== 'string') {
      this.command0('_error', transaction, null, {
        level: 'error',
        code: 'NetConnection.Connect.Rejected',
        description: 'connect has no app',
      });
      return;
    }
    // A second connect has no effect: streams of the first one may be in use.
    this.app ??= app.replace(/\?.*$/s, '').replace(/\/+$/, '');
    const { window, chunkSize } = this.settings;
    this.host.reply(windowAckSize(window));
    this.host.reply(setPeerBandwidth(window, 'dynamic'));
    this.host.reply(setChunkSize(chunkSize));
    this.result(
      transaction,
      { fmsVer: 'FMS/3,0,1,123', capabilities: 31 },
      {
        level: 'status',
        code: 'NetConnection.Connect.Success',
        description: 'Connection succeeded.',
        objectEncoding: 0,
      },
    );
  }

  private createStream(transaction: number): void {
    if (this.streams.size >= MAX_STREAMS) {
      const description = `more than ${MAX_STREAMS} message streams on one connection`;
      this.command0('_error', transaction, null, { level: 'error', code: 'NetConnection.Call.Failed', description });
      return;
    }
    const streamId = ++this.lastStreamId;
    this.streams.set(streamId, undefined);
    this.result(transaction, null, streamId);
  }

  private publish(app: string, streamId: number, name: unknown): void {
    const found = this.openStream(app, streamId, name);
    if ('code' in found) {
      this.status(streamId, 'error', found.code, found.description);
      return;
    }
    this.streams.set(streamId, found);
    this.host.reply(streamBegin(streamId));
    this.status(streamId, 'status', 'NetStream.Publish.Start', `${found.name} is now published.`);
  }

  private openStream(app: string, streamId: number, name: unknown): IngestStream | Refusal {
    const bad = (description: string): Refusal => ({ code: 'NetStream.Publish.BadName', description });
    if (typeof name !== 'string' || name === '') return bad('publish names no stream');
    if (!this.streams.has(streamId)) return bad(`message stream ${streamId} was never created`);
    if (this.streams.get(streamId) !== undefined) return bad(`message stream ${streamId} is publishing already`);
    return this.host.publish(app, name, streamId);
  }

  private unpublish(fits: (stream: IngestStream) => boolean): void {
    for (const [streamId, stream] of this.streams) {
      if (stream === undefined || !fits(stream)) continue;
      this.streams.set(streamId, undefined);
      stream.finish('unpublished');
      this.status(streamId, 'status', 'NetStream.Unpublish.Success', `${stream.name} is now unpublished.`);
    }
  }

  private deleteStream(streamId: unknown): void {
    this.unpublish((stream) => stream.streamId === streamId);
    if (typeof streamId === 'number') this.streams.delete(streamId);
  }

  private result(transaction: number, object: Amf0Value, info: Amf0Value): void {
    this.command0('_result', transaction, object, info);
  }

  private command0(name: string, transaction: number, ...args: Amf0Value[]): void {
    this.host.reply({ type: MessageType.command, payload: writeAmf0(name, transaction, ...args) });
  }

  private status(streamId: number, level: string, code: string, description: string): void {
    const payload = writeAmf0('onStatus', 0, null, { level, code, description });
    this.host.reply({ type: MessageType.command, payload, streamId });
  }
}
