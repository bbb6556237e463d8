import { asRecord, type AmfRecord, type AmfValue } from '../rtmp/amf0/amf0-reader.js';
import type { RtmpMessage } from '../rtmp/chunk/chunk-reader.js';
import { isCommand, readCommand, type Command } from '../rtmp/message/command.js';
import { streamBegin } from '../rtmp/message/control.js';
import { MessageType } from '../rtmp/message-type.js';
import type { PublisherFields, EndReason, IngestMessage, IngestStream, Refusal } from './ingest-stream.js';
import { command, connectReplies, errorReply, statusReply, type Reply, type SessionSettings } from './replies.js';

/** What a publisher asks for with `publish`. */
export interface PublishCommand {
  readonly app: string;
  readonly name: string;
  readonly streamId: number;
  readonly publishType: string;
  readonly connect: PublisherFields;
}

export interface SessionHost {
  reply(reply: Reply): void;
  /** Returns why a connect is refused; undefined to accept it. */
  connect(app: string, connect: PublisherFields): Refusal | undefined | Promise<Refusal | undefined>;
  /** Creates the stream, or returns why it is refused. */
  publish(request: PublishCommand): IngestStream | Refusal | Promise<IngestStream | Refusal>;
  /** A connect or a publish was refused, and the publisher has its answer. */
  refused(refusal: Refusal): void;
}

/** Largest number of message streams on a connection. */
const MAX_STREAMS = 1024;
/** Data messages in the AMF3 envelope: a byte, then AMF0. */
const DATA_AMF3 = 15;
/** Longest text that is kept of a field of connect, in UTF-16 units. */
const MAX_FIELD = 512;

/** A stream, and its name as the publisher wrote it. */
interface Published {
  readonly stream: IngestStream;
  readonly name: unknown;
}

/** A publisher's session after the handshake: handles its messages, without a socket. */
export class IngestSession {
  /** undefined before connect was accepted. */
  private app: string | undefined;
  private connectFields: PublisherFields = { flashVer: '', tcUrl: '', swfUrl: '', pageUrl: '' };
  private lastStreamId = 0;
  private ended = false;
  /** Created message streams; undefined if nothing is published on one. */
  private readonly streams = new Map<number, Published | undefined>();

  constructor(
    private readonly host: SessionHost,
    private readonly settings: SessionSettings,
  ) {}

  /** True after connect was accepted. */
  get isConnected(): boolean {
    return this.app !== undefined;
  }

  /** True while a stream is published. */
  get isPublishing(): boolean {
    return [...this.streams.values()].some((published) => published !== undefined);
  }

  /**
   * Handles a message. If a promise is returned, the next message must wait for it: the answer to a connect or a
   * publish is not known yet.
   *
   * @throws RtmpError for a command that cannot be read
   */
  take(message: RtmpMessage): Promise<void> | undefined {
    const { type, payload, timestamp, streamId } = message;
    if (isCommand(type)) return this.command(readCommand(type, payload), streamId);
    if (type === MessageType.audio) this.deliver(streamId, { kind: 'audio', timestamp, payload });
    else if (type === MessageType.video) this.deliver(streamId, { kind: 'video', timestamp, payload });
    else if (type === MessageType.data) this.deliver(streamId, { kind: 'data', timestamp, payload });
    else if (type === DATA_AMF3) this.deliver(streamId, { kind: 'data', timestamp, payload: payload.subarray(1) });
    return undefined;
  }

  /** The connection is closed. */
  end(reason: EndReason): void {
    this.ended = true;
    for (const published of this.streams.values()) published?.stream.finish(reason);
    this.streams.clear();
  }

  private deliver(streamId: number, message: IngestMessage): void {
    this.streams.get(streamId)?.stream.deliver(message);
  }

  private command({ name, transaction, args }: Command, streamId: number): Promise<void> | undefined {
    if (name === 'connect') return this.connect(transaction, asRecord(args[0]));
    if (this.app === undefined) return undefined;
    if (name === 'publish') return this.publish(this.app, streamId, args);
    if (name === 'createStream') this.createStream(transaction);
    else if (name === 'FCUnpublish') this.unpublish((published) => published.name === args[1]);
    else if (name === 'closeStream') this.unpublish(({ stream }) => stream.streamId === streamId);
    else if (name === 'deleteStream') this.deleteStream(args[1]);
    else if (name === 'play') this.refusePlay(streamId);
    else if (name === 'releaseStream' || name === 'FCPublish' || name === '_checkbw')
      this.host.reply(command('_result', transaction, null, null));
    return undefined;
  }

  private connect(transaction: number, fields: AmfRecord | undefined): Promise<void> | undefined {
    const given = fields?.['app'];
    if (typeof given !== 'string') {
      const description = 'connect has no app';
      this.host.reply(errorReply(transaction, { code: 'NetConnection.Connect.Rejected', description }));
      return undefined;
    }
    const app = given.replace(/\?.*$/s, '').replace(/\/+$/, '');
    const connect = {
      flashVer: text(fields?.['flashVer']),
      tcUrl: text(fields?.['tcUrl']),
      swfUrl: text(fields?.['swfUrl']),
      pageUrl: text(fields?.['pageUrl']),
    };
    const enhanced = fields?.['fourCcList'] !== undefined || fields?.['videoFourCcInfoMap'] !== undefined;
    return whenKnown(this.host.connect(app, connect), (refusal) => {
      if (this.ended) return;
      if (refusal !== undefined) {
        this.host.reply(errorReply(transaction, refusal));
        this.host.refused(refusal);
        return;
      }
      // A second connect has no effect: streams of the first one may be in use.
      if (this.app === undefined) [this.app, this.connectFields] = [app, connect];
      for (const reply of connectReplies(transaction, enhanced, this.settings)) this.host.reply(reply);
    });
  }

  private createStream(transaction: number): void {
    if (this.streams.size >= MAX_STREAMS) {
      const description = `more than ${MAX_STREAMS} message streams on one connection`;
      this.host.reply(errorReply(transaction, { code: 'NetConnection.Call.Failed', description }));
      return;
    }
    const streamId = ++this.lastStreamId;
    this.streams.set(streamId, undefined);
    this.host.reply(command('_result', transaction, null, streamId));
  }

  private publish(app: string, streamId: number, args: readonly AmfValue[]): Promise<void> | undefined {
    const found = this.openStream(app, streamId, args);
    return whenKnown(found, (stream) => {
      if ('code' in stream) {
        if (this.ended) return;
        this.host.reply(statusReply(streamId, 'error', stream));
        this.host.refused(stream);
        return;
      }
      this.streams.set(streamId, { stream, name: args[1] });
      this.host.reply(streamBegin(streamId));
      const description = `${stream.name} is now published.`;
      this.host.reply(statusReply(streamId, 'status', { code: 'NetStream.Publish.Start', description }));
    });
  }

  private openStream(
    app: string,
    streamId: number,
    [, name, type]: readonly AmfValue[],
  ): IngestStream | Refusal | Promise<IngestStream | Refusal> {
    const bad = (description: string): Refusal => ({ code: 'NetStream.Publish.BadName', description });
    if (typeof name !== 'string' || name === '') return bad('publish names no stream');
    if (!this.streams.has(streamId)) return bad(`message stream ${streamId} was never created`);
    if (this.streams.get(streamId) !== undefined) return bad(`message stream ${streamId} is publishing already`);
    return this.host.publish({ app, name, streamId, publishType: text(type), connect: this.connectFields });
  }

  private unpublish(fits: (published: Published) => boolean): void {
    for (const [streamId, published] of this.streams) {
      if (published === undefined || !fits(published)) continue;
      const { stream } = published;
      this.streams.set(streamId, undefined);
      stream.finish('unpublished');
      const description = `${stream.name} is now unpublished.`;
      this.host.reply(statusReply(streamId, 'status', { code: 'NetStream.Unpublish.Success', description }));
    }
  }

  private deleteStream(streamId: unknown): void {
    this.unpublish(({ stream }) => stream.streamId === streamId);
    if (typeof streamId === 'number') this.streams.delete(streamId);
  }

  private refusePlay(streamId: number): void {
    const description = 'this server takes publishers only: nothing can be played from it';
    const refusal = { code: 'NetStream.Play.StreamNotFound', description };
    this.host.reply(statusReply(streamId, 'error', refusal));
    this.host.refused(refusal);
  }
}

/** A text field of connect, cut to a length that can be kept. */
function text(value: AmfValue): string {
  return typeof value === 'string' ? value.slice(0, MAX_FIELD) : '';
}

/** Calls `then` at once with a value, or later with that of a promise. */
function whenKnown<T>(value: T | Promise<T>, then: (value: T) => void): Promise<void> | undefined {
  if (value instanceof Promise) return value.then(then);
  then(value);
  return undefined;
}
