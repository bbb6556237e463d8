import { systemClock } from '../time/clock.js';
import { AckWindow } from './chunk/ack-window.js';
import { asRecord, type AmfRecord, type AmfValue } from './amf0/amf0-reader.js';
import { TokenBucket } from '../time/token-bucket.js';
import { ChunkReader, type RtmpMessage } from './chunk/chunk-reader.js';
import { RtmpError } from './errors.js';
import { isCommand, readCommand, type Command } from './message/command.js';
import { readControl, type ControlMessage, type LimitType } from './message/control.js';
import type { ServerEvent, StatusText } from './server-event.js';

export type { ServerEvent, StatusText } from './server-event.js';

export interface ServerReaderOptions {
  /** Longest message, bytes; default 1048576. A server sends no media to a publisher. */
  readonly maxMessageSize?: number;
  /** Monotonic ms; default: the clock of the machine. */
  readonly now?: () => number;
}

const MAX_MESSAGE = 0x100000;
const MAX_CHUNK_STREAMS = 64;
const MAX_TEXT = 1024;
/** Limit for messages of the server: it has little to say, and a message can be a single byte. */
const MESSAGES = { burst: 2000, perSecond: 500 };
/** Additional messages allowed for each stream that is created: results and statuses. */
const MESSAGES_A_STREAM = 8;
/** Limit for the bytes of commands: each byte can be a value, and a command of a server has a few hundred bytes. */
const COMMAND_BYTES = { burst: 2 * MAX_MESSAGE, perSecond: 128 * 1024 };
/** What a message counts in {@link ServerReader.take} beside the bytes of its payload. */
const MESSAGE_COST = 256;
const AMF_LIMITS = { maxDepth: 16, maxValues: 4096 };
const RECONNECT = 'NetConnection.Connect.ReconnectRequest';

/**
 * Parses the bytes that a server sends after the handshake into events. The server is not trusted: any bytes lead to
 * events, never to an exception; memory is bounded; unknown messages are skipped. Nothing is answered here: `ping`,
 * `ackDue` and `peerBandwidth` say what to answer.
 */
export class ServerReader {
  private readonly chunks: ChunkReader;
  private readonly acks = new AckWindow();
  /** The limit of the last effective Set Peer Bandwidth; 0: none. */
  private limit = 0;
  private lastLimitType: LimitType = 'dynamic';
  private readonly bucket: TokenBucket;
  private readonly commandBytes: TokenBucket;
  /** Messages that were received and not taken yet, from number `taken` on. */
  private messages: RtmpMessage[] = [];
  private taken = 0;
  /** True if the events behind those of the messages are still to be taken. */
  private hasEnd = false;
  private flood: RtmpError | undefined;

  constructor(options: ServerReaderOptions = {}) {
    const maxMessageSize = options.maxMessageSize ?? MAX_MESSAGE;
    const now = options.now ?? (() => systemClock.now());
    this.bucket = new TokenBucket(MESSAGES.burst, MESSAGES.perSecond, now);
    this.commandBytes = new TokenBucket(COMMAND_BYTES.burst, COMMAND_BYTES.perSecond, now);
    this.chunks = new ChunkReader({ maxMessageSize, maxHeldBytes: 2 * maxMessageSize, maxStreams: MAX_CHUNK_STREAMS });
  }

  /** Bytes fed so far. */
  get receivedBytes(): number {
    return this.acks.received;
  }

  /** Bytes of memory held for incomplete messages. */
  get heldBytes(): number {
    return this.chunks.heldBytes;
  }

  /** A stream is being created: allows the messages that answer it. */
  expectStream(): void {
    this.bucket.add(MESSAGES_A_STREAM);
  }

  /** Takes the next bytes, cut anywhere. After `broken` there are no more events. */
  feed(chunk: Buffer): ServerEvent[] {
    this.receive(chunk);
    return this.take(Infinity);
  }

  /** Takes the next bytes, cut anywhere. {@link take} returns their events. */
  receive(chunk: Buffer): void {
    if (this.chunks.failure !== undefined || this.flood !== undefined) return;
    this.acks.receive(chunk.length);
    this.hasEnd = true;
    const messages = this.read(chunk);
    this.flood = this.floodIn(messages);
    if (this.flood === undefined) this.messages.push(...messages);
  }

  /** True if {@link take} has more to return. */
  get hasMore(): boolean {
    return this.hasEnd;
  }

  /**
   * Returns the next events. Reading them ends once the messages have about `most` bytes, so that the caller can do
   * other work in between.
   */
  take(most: number): ServerEvent[] {
    const events: ServerEvent[] = [];
    const { messages } = this;
    for (let read = 0; read < most && this.taken < messages.length; this.taken++) {
      const message = messages[this.taken];
      if (message === undefined) continue;
      read += MESSAGE_COST + message.payload.length;
      const event = this.event(message);
      if (event !== undefined) events.push(event);
    }
    if (this.taken < messages.length || !this.hasEnd) return events;
    this.messages = [];
    this.taken = 0;
    this.hasEnd = false;
    const error = this.flood ?? this.chunks.failure;
    const sequence = this.flood === undefined ? this.acks.due() : undefined;
    if (sequence !== undefined) events.push({ kind: 'ackDue', sequence });
    if (error !== undefined) events.push({ kind: 'broken', error });
    return events;
  }

  private floodIn(messages: readonly RtmpMessage[]): RtmpError | undefined {
    if (!this.bucket.take(messages.length)) {
      const { burst, perSecond } = MESSAGES;
      const limits = `more than ${burst} messages at once, or more than ${perSecond} per second`;
      return new RtmpError('rtmp_too_many_messages', `the server sent ${limits}`);
    }
    const bytes = messages.reduce((sum, { type, payload }) => sum + (isCommand(type) ? payload.length : 0), 0);
    if (bytes > 0 && !this.commandBytes.take(bytes)) {
      const { burst, perSecond } = COMMAND_BYTES;
      const limits = `more than ${burst} bytes of commands at once, or more than ${perSecond} per second`;
      return new RtmpError('rtmp_too_many_messages', `the server sent ${limits}`);
    }
    return undefined;
  }

  private read(chunk: Buffer): RtmpMessage[] {
    try {
      return this.chunks.feed(chunk);
    } catch (error) {
      // The error is also in `failure`.
      if (error instanceof RtmpError) return [];
      throw error;
    }
  }

  private event({ type, payload, streamId }: RtmpMessage): ServerEvent | undefined {
    try {
      if (isCommand(type)) return command(readCommand(type, payload, AMF_LIMITS), streamId);
      const control = readControl(type, payload);
      return control === undefined ? undefined : this.control(control);
    } catch (error) {
      if (error instanceof RtmpError) return { kind: 'unreadable', error };
      throw error;
    }
  }

  private control(message: ControlMessage): ServerEvent | undefined {
    switch (message.kind) {
      case 'windowAckSize':
        this.acks.setWindow(message.window);
        return message;
      case 'peerBandwidth':
        return { ...message, announce: this.newLimit(message.window, message.limitType) };
      case 'ping':
      case 'ack':
        return message;
      case 'streamBegin':
      case 'streamEof':
        return { kind: message.kind, streamId: message.streamId };
      default:
        return undefined;
    }
  }

  /**
   * RTMP 1.0, 5.4.5: hard sets the limit; soft can only lower it; dynamic acts like hard after a hard one, and is
   * ignored otherwise.
   */
  private newLimit(window: number, limitType: LimitType): number | undefined {
    const before = this.limit;
    if (limitType === 'soft') this.limit = before === 0 ? window : Math.min(before, window);
    else if (limitType === 'hard' || this.lastLimitType === 'hard') this.limit = window;
    if (limitType !== 'dynamic') this.lastLimitType = limitType;
    return this.limit === before ? undefined : this.limit;
  }
}

function command({ name, transaction, args }: Command, streamId: number): ServerEvent | undefined {
  if (name === '_result') return { kind: 'result', transaction, object: args[0], info: args[1] };
  // Some servers leave out the null before the info object.
  const info = asRecord(args[1]) ?? asRecord(args[0]);
  if (name === '_error') {
    const url = redirectUrl(info);
    if (url !== undefined) return { kind: 'redirect', transaction, url, ...statusText(info) };
    return { kind: 'error', transaction, info, ...statusText(info) };
  }
  if (name !== 'onStatus') return undefined;
  if (text(info?.['code']) !== RECONNECT) return { kind: 'status', streamId, info, ...statusText(info) };
  const tcUrl = text(info?.['tcUrl']);
  const description = text(info?.['description']);
  return {
    kind: 'reconnectRequest',
    ...(tcUrl === '' ? {} : { tcUrl }),
    ...(description === '' ? {} : { description }),
  };
}

/** The URL in `ex.redirect` if `ex.code` is 302 (docs/protocol/servers.md, Redirects). */
function redirectUrl(info: AmfRecord | undefined): string | undefined {
  const ex = asRecord(info?.['ex']);
  const code = ex?.['code'];
  if (code !== 302 && code !== '302') return undefined;
  const url = ex?.['redirect'];
  return typeof url === 'string' && url !== '' && url.length <= MAX_TEXT && text(url) === url ? url : undefined;
}

export function statusText(info: AmfRecord | undefined): StatusText {
  return { level: text(info?.['level']), code: text(info?.['code']), description: text(info?.['description']) };
}

/** Text that is safe for logs and terminals: without line breaks and control characters. */
function text(value: AmfValue): string {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT).replaceAll(/\p{Cc}/gu, ' ') : '';
}
