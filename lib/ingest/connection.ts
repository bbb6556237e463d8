import type { Socket } from 'node:net';
import type { Clock, Timer } from '../time/clock.js';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { AckWindow } from '../rtmp/chunk/ack-window.js';
import { ChunkReader, type RtmpMessage } from '../rtmp/chunk/chunk-reader.js';
import { ChunkWriter } from '../rtmp/chunk/chunk-writer.js';
import { ServerHandshake } from '../rtmp/handshake/server.js';
import { isCommand } from '../rtmp/message/command.js';
import { acknowledgement, pingResponse, readControl } from '../rtmp/message/control.js';
import { MessageType } from '../rtmp/message-type.js';
import { OutputBuffer } from '../rtmp/chunk/output-buffer.js';
import type { PublisherFields, EndReason, IngestStream, Refusal, StreamFlow } from './ingest-stream.js';
import { statusReply, type Reply, type SessionSettings } from './replies.js';
import { IngestSession, type PublishCommand } from './session.js';

export interface ConnectionSettings extends SessionSettings {
  /** ms that handshake and connect may take together, and that a connection may be silent. */
  readonly timeout: number;
  readonly maxMessageSize: number;
  /** Close the connection of a publisher that was refused. */
  readonly closeRefused: boolean;
}

export interface ConnectionHost {
  readonly settings: ConnectionSettings;
  readonly clock: Clock;
  readonly log: Logger;
  /** The connection is cut, because of `why`. */
  cut(connection: IngestConnection, why: string): void;
  connect(
    connection: IngestConnection,
    app: string,
    connect: PublisherFields,
  ): Refusal | undefined | Promise<Refusal | undefined>;
  publish(
    connection: IngestConnection,
    request: PublishCommand,
  ): IngestStream | Refusal | Promise<IngestStream | Refusal>;
  closed(connection: IngestConnection): void;
}

const CONTROL_CHUNK_STREAM = 2;
const COMMAND_CHUNK_STREAM = 3;
/** Bytes of unsent answers from which on a publisher counts as not reading. */
const MAX_UNREAD = 0x100000;
/**
 * Most bytes held for unfinished messages of a connection that publishes nothing. Strangers must not fill the memory;
 * an encoder that does not wait for the answer to publish sends the beginning of a key frame along.
 */
const HELD_BEFORE_PUBLISH = 0x40000;
const HELD_WHILE_PUBLISHING = 0x2000000;
/**
 * Most commands of a connection in a row while it publishes nothing: three for each of the message streams that it may
 * create, and some more.
 */
const COMMANDS_BEFORE_PUBLISH = 4096;
/** ms that a refused publisher has to read the answer and to close. */
const REFUSED_LINGER = 2000;

/** The connection of a publisher: socket, handshake, timeouts and flow control. The session handles the messages. */
export class IngestConnection implements StreamFlow {
  readonly remoteAddress: string;
  private readonly handshake = new ServerHandshake();
  private readonly chunks: ChunkReader;
  private readonly acks = new AckWindow();
  private readonly out = new OutputBuffer();
  private readonly writer = new ChunkWriter(this.out);
  private readonly session: IngestSession;
  private greeted = false;
  private pauses = 0;
  private ended = false;
  private lastHeard: number;
  /** Commands since something was published. */
  private commands = 0;
  /** Monotonic ms at which something was published last, or at which the connection began. */
  private lastPublishing: number;
  private timer: Timer | undefined;
  /** Messages that wait until the answer to a connect or a publish is known. */
  private waiting: RtmpMessage[] | undefined;
  private refused = false;

  constructor(
    private readonly socket: Socket,
    private readonly host: ConnectionHost,
    /** Number of the connection, from 1. */
    readonly id: number,
  ) {
    const { settings, clock } = host;
    // A flush copies the bytes first.
    this.out.pooled = true;
    this.remoteAddress = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    this.chunks = new ChunkReader({
      maxMessageSize: settings.maxMessageSize,
      maxStreams: 2048,
      maxHeldBytes: HELD_BEFORE_PUBLISH,
    });
    const session = {
      reply: (message: Reply) => this.reply(message),
      connect: (app: string, connect: PublisherFields) => host.connect(this, app, connect),
      publish: (request: PublishCommand) => host.publish(this, request),
      refused: () => this.closeRefused(),
    };
    this.session = new IngestSession(session, settings);
    this.lastHeard = clock.now();
    this.lastPublishing = clock.now();
    this.watch(settings.timeout);
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.data(bytes));
    socket.on('error', (error) => host.log.debug(`RTMP ingest: ${messageOf(error)}`, { peer: this.remoteAddress }));
    socket.on('close', () => this.end('closed'));
  }

  /** Closes the connection; its streams end. */
  destroy(reason: EndReason): void {
    this.socket.destroy();
    this.end(reason);
  }

  /** True after the connection was closed by either side. */
  get isEnded(): boolean {
    return this.ended;
  }

  /** ms since the last byte; 0 while this side does not read. */
  get silentFor(): number {
    return this.pauses > 0 ? 0 : this.host.clock.now() - this.lastHeard;
  }

  refuse(streamId: number, refusal: Refusal): void {
    if (this.ended) return;
    this.reply(statusReply(streamId, 'error', refusal));
    this.session.end('refused');
    this.closeAfterReplies();
  }

  /** Calls are counted: reading continues after as many calls of resume. */
  pause(): void {
    if (this.pauses++ === 0) this.socket.pause();
  }

  resume(): void {
    if (this.pauses === 0 || --this.pauses > 0) return;
    this.lastHeard = this.host.clock.now();
    this.socket.resume();
  }

  private data(bytes: Buffer): void {
    if (this.ended || this.refused) return;
    this.lastHeard = this.host.clock.now();
    try {
      const rest = this.greeted ? bytes : this.greet(bytes);
      if (rest.length > 0) this.messages(rest);
      this.flush();
    } catch (error) {
      if (!(error instanceof KmpRtmpError)) throw error;
      this.fail(error.message);
    }
  }

  private greet(bytes: Buffer): Buffer {
    const { reply, done, rest } = this.handshake.feed(bytes);
    if (reply !== undefined) this.socket.write(reply);
    this.greeted = done;
    return rest;
  }

  private messages(bytes: Buffer): void {
    this.acks.receive(bytes.length);
    const messages = this.chunks.feed(bytes);
    if (this.waiting === undefined) this.take(messages);
    else this.waiting.push(...messages);
    const sequence = this.acks.due();
    if (sequence !== undefined) this.reply(acknowledgement(sequence));
    if (this.chunks.failure !== undefined && this.waiting === undefined) throw this.chunks.failure;
  }

  private take(messages: readonly RtmpMessage[]): void {
    for (const [at, message] of messages.entries()) {
      if (this.ended || this.refused) return;
      if (message.type <= MessageType.setPeerBandwidth) {
        this.control(message.type, message.payload);
        continue;
      }
      // Only commands begin and end streams.
      const command = isCommand(message.type);
      if (command) this.limitCommands();
      const answered = this.session.take(message);
      if (command) this.limitHeld();
      if (answered === undefined) continue;
      this.waiting = messages.slice(at + 1);
      this.pause();
      void answered.then(
        () => this.answered(),
        (error: unknown) => this.fail(messageOf(error)),
      );
      return;
    }
  }

  /** The answer that the messages waited for was sent. */
  private answered(): void {
    const { waiting = [] } = this;
    this.waiting = undefined;
    if (this.ended) return;
    try {
      this.limitHeld();
      this.take(waiting);
      this.flush();
      if (this.chunks.failure !== undefined && this.waiting === undefined) throw this.chunks.failure;
    } catch (error) {
      if (!(error instanceof KmpRtmpError)) throw error;
      this.fail(error.message);
    }
    this.resume();
  }

  private limitHeld(): void {
    const { isPublishing } = this.session;
    if (isPublishing) this.publishes();
    this.chunks.maxHeldBytes = isPublishing ? HELD_WHILE_PUBLISHING : HELD_BEFORE_PUBLISH;
  }

  /** Called before each command, so that the time and the count begin at the end of the last stream. */
  private limitCommands(): void {
    if (this.session.isPublishing) this.publishes();
    else if (++this.commands > COMMANDS_BEFORE_PUBLISH) {
      throw new KmpRtmpError('ingest_idle', `${COMMANDS_BEFORE_PUBLISH} commands, and nothing was published`);
    }
  }

  private publishes(): void {
    this.commands = 0;
    this.lastPublishing = this.host.clock.now();
  }

  private closeRefused(): void {
    if (this.host.settings.closeRefused) this.closeAfterReplies();
  }

  /** Closes the connection once the publisher has the answers; at the latest after {@link REFUSED_LINGER} ms. */
  private closeAfterReplies(): void {
    this.refused = true;
    this.flush();
    this.socket.end();
    this.timer?.cancel();
    this.timer = this.host.clock.after(REFUSED_LINGER, () => this.destroy('refused'), false);
  }

  private control(type: number, payload: Buffer): void {
    const message = readControl(type, payload);
    if (message?.kind === 'ping') this.reply(pingResponse(message.timestamp));
    else if (message?.kind === 'windowAckSize') this.acks.setWindow(message.window);
  }

  private reply({ type, payload, streamId = 0 }: Reply): void {
    const chunkStream = type === MessageType.command ? COMMAND_CHUNK_STREAM : CONTROL_CHUNK_STREAM;
    this.writer.write(chunkStream, 0, 0, type, streamId, payload);
    if (type === MessageType.setChunkSize) this.writer.chunkSize = payload.readUInt32BE(0);
    if (this.out.length + this.socket.writableLength > MAX_UNREAD) {
      throw new KmpRtmpError('ingest_unread', 'the publisher does not read the answers');
    }
  }

  private flush(): void {
    if (this.out.length === 0 || !this.socket.writable) return;
    this.socket.write(Buffer.concat(this.out.take()));
    for (const block of this.out.takeBlocks()) block.release();
  }

  private watch(delay: number): void {
    const { clock, settings } = this.host;
    this.timer = clock.after(delay, () => {
      const { timeout } = settings;
      const now = clock.now();
      // While a controller decides, the encoder has to wait.
      if (this.session.isPublishing || this.pauses > 0) this.publishes();
      const left = Math.min(this.lastHeard, this.lastPublishing) + timeout - now;
      if (!this.session.isConnected) this.fail(`no connect command within ${timeout} ms`);
      else if (left > 0 || this.pauses > 0) this.watch(left > 0 ? left : timeout);
      else this.fail(`${now - this.lastHeard < timeout ? 'nothing was published' : 'nothing heard'} for ${timeout} ms`);
    });
  }

  private fail(why: string): void {
    this.host.cut(this, why);
    this.destroy('failed');
  }

  private end(reason: EndReason): void {
    if (this.ended) return;
    this.ended = true;
    this.timer?.cancel();
    this.session.end(reason);
    this.host.closed(this);
  }
}
