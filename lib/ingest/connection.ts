import type { Socket } from 'node:net';
import type { Clock, Timer } from '../time/clock.js';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { AckWindow } from '../rtmp/chunk/ack-window.js';
import { ChunkReader } from '../rtmp/chunk/chunk-reader.js';
import { ChunkWriter } from '../rtmp/chunk/chunk-writer.js';
import { ServerHandshake } from '../rtmp/handshake/server.js';
import { acknowledgement, pingResponse, readControl } from '../rtmp/message/control.js';
import { MessageType } from '../rtmp/message-type.js';
import { OutputBuffer } from '../rtmp/chunk/output-buffer.js';
import type { EndReason, IngestStream } from './ingest-stream.js';
import { IngestSession, type Refusal, type Reply, type SessionSettings } from './session.js';

export interface ConnectionSettings extends SessionSettings {
  /** ms that handshake and connect may take together, and that a connection may be silent. */
  readonly timeout: number;
  readonly maxMessageSize: number;
}

export interface ConnectionHost {
  readonly settings: ConnectionSettings;
  readonly clock: Clock;
  readonly log: Logger;
  publish(connection: IngestConnection, app: string, name: string, streamId: number): IngestStream | Refusal;
  closed(connection: IngestConnection): void;
}

const CONTROL_CHUNK_STREAM = 2;
const COMMAND_CHUNK_STREAM = 3;
/** Bytes of unsent answers from which on a publisher counts as not reading. */
const MAX_UNREAD = 0x100000;

/** The connection of a publisher: socket, handshake, timeouts and flow control. The session handles the messages. */
export class IngestConnection {
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
  private timer: Timer | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly host: ConnectionHost,
  ) {
    const { settings, clock } = host;
    // A flush copies the bytes first.
    this.out.pooled = true;
    this.remoteAddress = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    this.chunks = new ChunkReader({ maxMessageSize: settings.maxMessageSize, maxStreams: 2048 });
    const reply = (message: Reply) => this.reply(message);
    const publish = (app: string, name: string, streamId: number) => host.publish(this, app, name, streamId);
    this.session = new IngestSession({ reply, publish }, settings);
    this.lastHeard = clock.now();
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
    if (this.ended) return;
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
    for (const message of this.chunks.feed(bytes)) {
      if (message.type > MessageType.setPeerBandwidth) this.session.take(message);
      else this.control(message.type, message.payload);
      if (this.ended) return;
    }
    const sequence = this.acks.due();
    if (sequence !== undefined) this.reply(acknowledgement(sequence));
    if (this.chunks.failure !== undefined) throw this.chunks.failure;
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
      const left = this.lastHeard + settings.timeout - clock.now();
      if (!this.session.isConnected) this.fail(`no connect command within ${settings.timeout} ms`);
      else if (left <= 0 && this.pauses === 0) this.fail(`nothing heard for ${settings.timeout} ms`);
      else this.watch(left > 0 ? left : settings.timeout);
    });
  }

  private fail(why: string): void {
    this.host.log.warn(`RTMP ingest: connection cut: ${why}`, { peer: this.remoteAddress });
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
