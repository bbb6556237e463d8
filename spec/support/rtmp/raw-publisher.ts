import net from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import { parseAmf, RtmpParse, type Amf, type ParsedMessage } from './rtmp-parse.js';
import { amf, chunked, type OutMessage } from '../ingest/script-bytes.js';

const HANDSHAKE = 3073;

/** A publisher that sends just what a spec tells it to, and keeps what it hears; nothing of lib/rtmp in it. */
export class RawPublisher {
  /** S0 S1 S2. */
  handshake: Buffer = Buffer.alloc(0);
  readonly parser = new RtmpParse();
  isClosed = false;
  private readonly watchers = new Set<() => void>();

  private constructor(readonly socket: net.Socket) {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      const missing = HANDSHAKE - this.handshake.length;
      if (missing > 0) this.handshake = Buffer.concat([this.handshake, bytes.subarray(0, missing)]);
      if (bytes.length > missing) this.parser.push(bytes.subarray(Math.max(0, missing)));
      this.wake();
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.wake();
    });
  }

  /** Only the TCP (or TLS) connection. */
  static async open(port: number, secure = false): Promise<RawPublisher> {
    const socket = secure
      ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : net.connect(port, '127.0.0.1');
    const publisher = new RawPublisher(socket);
    await once(socket, secure ? 'secureConnect' : 'connect');
    return publisher;
  }

  /** With an old-style handshake behind it. */
  static async greet(port: number, secure = false): Promise<RawPublisher> {
    const publisher = await RawPublisher.open(port, secure);
    publisher.write(Buffer.concat([Buffer.of(3), Buffer.alloc(3072)]));
    await publisher.until(() => publisher.handshake.length === HANDSHAKE);
    return publisher;
  }

  /** Publishes `name` on message stream 1 and waits until that is answered. */
  static async publish(port: number, app: string, name: string): Promise<RawPublisher> {
    const publisher = await RawPublisher.greet(port);
    publisher.command(0, 'connect', 1, { app });
    publisher.command(0, 'createStream', 2, null);
    publisher.command(1, 'publish', 3, null, name, 'live');
    await publisher.heard('onStatus');
    return publisher;
  }

  get messages(): readonly ParsedMessage[] {
    return this.parser.messages;
  }

  /** All commands heard so far. */
  commands(): Amf[][] {
    return this.messages.filter(({ type }) => type === 20).map(({ payload }) => parseAmf(payload));
  }

  write(bytes: Buffer): boolean {
    return this.socket.write(bytes);
  }

  send(message: OutMessage): void {
    this.write(chunked(message, 128));
  }

  command(streamId: number, ...values: Amf[]): void {
    this.send({ type: 20, streamId, payload: Buffer.concat(values.map(amf)) });
  }

  /** The nth command of that name, 1 being the first. */
  async heard(name: string, nth = 1): Promise<Amf[]> {
    const found = () => this.commands().filter(([first]) => first === name)[nth - 1];
    await this.until(() => found() !== undefined);
    return found() ?? [];
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.isClosed) throw new Error('the connection ended before what the spec waits for');
      await this.next();
    }
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await this.next();
  }

  private next(): Promise<void> {
    return new Promise((resolve) => {
      const watcher = () => {
        this.watchers.delete(watcher);
        resolve();
      };
      this.watchers.add(watcher);
    });
  }

  private wake(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}
