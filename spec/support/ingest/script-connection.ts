import type net from 'node:net';
import { parseAmf, RtmpParse, type Amf, type ParsedMessage } from '../rtmp/rtmp-parse.js';
import { amf, chunked, signedS1, u16, u32, type OutMessage } from './script-bytes.js';
import { answer } from './script-answers.js';
import type { Script } from './script.js';

const HELLO = 1537;
const C2 = 1536;

/** One client at the scriptable ingest. */
export class IngestConnection {
  /** C0 and C1. */
  hello: Buffer = Buffer.alloc(0);
  c2: Buffer = Buffer.alloc(0);
  /** All messages so far. */
  readonly messages: ParsedMessage[] = [];
  /** Bytes received behind the handshake. */
  receivedBytes = 0;
  /** Settles when the connection is gone: the client's FIN, a reset, our own end. */
  readonly closed: Promise<void>;
  isClosed = false;
  /** createStreams answered so far; the scripted answers count here. */
  streams = 0;
  publishes = 0;

  private readonly header: Buffer[] = [];
  private readonly record: Buffer[] = [];
  private readonly parser = new RtmpParse();
  private early: Buffer = Buffer.alloc(0);
  private headerLeft: number;
  private step: 'header' | 'hello' | 'c2' | 'open' | 'stalled' = 'header';
  private outChunkSize = 128;
  private readonly watchers = new Set<() => void>();
  private slow: NodeJS.Timeout | undefined;

  constructor(
    readonly socket: net.Socket,
    readonly script: Script,
    /** How many connections came before it. */
    readonly index: number,
  ) {
    this.headerLeft = script.headerLength ?? 0;
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      clearInterval(this.slow);
      this.wake();
    });
    socket.on('data', (bytes: Buffer) => this.take(bytes));
  }

  /** The pre-handshake header and every byte behind the handshake. */
  raw(): Buffer {
    return Buffer.concat([...this.header, ...this.record]);
  }

  /** Commands so far: name, transaction and the rest. */
  commands(name?: string): Amf[][] {
    const all = this.messages.filter(({ type }) => type === 20).map(({ payload }) => parseAmf(payload));
    return name === undefined ? all : all.filter(([first]) => first === name);
  }

  /** Settles with the first message that fits, of those in or to come; rejects if the connection ends before. */
  async message(fits: (message: ParsedMessage) => boolean): Promise<ParsedMessage> {
    await this.until(() => this.messages.some(fits));
    const found = this.messages.find(fits);
    if (found === undefined) throw new Error('unreachable');
    return found;
  }

  /** The first command of that name. */
  async command(name: string): Promise<Amf[]> {
    const message = await this.message(({ type, payload }) => type === 20 && parseAmf(payload)[0] === name);
    return parseAmf(message.payload);
  }

  /** Settles when `holds` does, looking again at all that comes in; rejects if the connection ends before. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.isClosed) throw new Error('the connection ended before what the spec waits for');
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.watchers.delete(watcher);
          resolve();
        };
        this.watchers.add(watcher);
      });
    }
  }

  write(bytes: Buffer): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  send(message: OutMessage): void {
    this.write(chunked(message, this.outChunkSize));
  }

  sendCommand(streamId: number, ...values: Amf[]): void {
    this.send({ type: 20, streamId, payload: Buffer.concat(values.map(amf)) });
  }

  sendStatus(streamId: number, level: string, code: string, description: string, more: { [key: string]: Amf } = {}) {
    this.sendCommand(streamId, 'onStatus', 0, null, { level, code, description, ...more });
  }

  ping(timestamp: number): void {
    this.send({ type: 4, payload: Buffer.concat([u16(6), u32(timestamp)]) });
  }

  /** Says that so many bytes have been read; default all, handshake included. */
  acknowledge(sequence = 1 + 2 * C2 + this.receivedBytes): void {
    this.send({ type: 3, payload: u32(sequence) });
  }

  setChunkSize(size: number): void {
    this.send({ type: 1, payload: u32(size) });
    this.outChunkSize = size;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  /** RST, at once. */
  reset(): void {
    // One that is being shut down cannot be reset: its handle would stay, and the process turn at its end for ever.
    const open = this.socket.readyState === 'open';
    if (open && 'resetAndDestroy' in this.socket && !('encrypted' in this.socket)) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  private wake(): void {
    for (const watcher of [...this.watchers]) watcher();
  }

  private take(bytes: Buffer): void {
    this.early = this.early.length === 0 ? bytes : Buffer.concat([this.early, bytes]);
    if (this.step === 'header' && this.early.length >= this.headerLeft) {
      this.header.push(this.cut(this.headerLeft));
      this.step = 'hello';
    }
    if (this.step === 'hello' && this.early.length >= HELLO) {
      this.hello = this.cut(HELLO);
      this.step = this.greet() ? 'c2' : 'stalled';
    }
    if (this.step === 'c2' && this.early.length >= C2) {
      this.c2 = this.cut(C2);
      this.step = 'open';
      if (this.script.s2AfterC2 === true) this.write(this.s2());
      this.throttle();
    }
    if (this.step === 'open' && this.early.length > 0) this.body(this.cut(this.early.length));
    this.wake();
  }

  private cut(length: number): Buffer {
    const piece = this.early.subarray(0, length);
    this.early = this.early.subarray(length);
    return piece;
  }

  private s1(): Buffer {
    const { s1 = 'zeros' } = this.script;
    if (s1 === 'scheme-0') return signedS1(0);
    if (s1 === 'scheme-1') return signedS1(1);
    const block = Buffer.alloc(1536, s1 === 'zeros' ? 0 : 0x5a);
    return block;
  }

  private s2(): Buffer {
    return Buffer.concat([this.hello.subarray(1), this.script.behindHandshake ?? Buffer.alloc(0)]);
  }

  private greet(): boolean {
    const { stallAt, insteadOfHandshake, s2AfterC2 } = this.script;
    if (insteadOfHandshake !== undefined) {
      this.write(insteadOfHandshake);
      return false;
    }
    const whole = Buffer.concat([Buffer.of(3), this.s1(), s2AfterC2 === true ? Buffer.alloc(0) : this.s2()]);
    const stalls = { nothing: 0, s0: 1, 'half-s1': 769, s1: 1537, 'half-s2': 2305 };
    this.write(stallAt === undefined ? whole : whole.subarray(0, stalls[stallAt]));
    // With S1 in, a client may already send C2 and more: that is recorded.
    return stallAt === undefined || stallAt === 's1' || stallAt === 'half-s2';
  }

  private throttle(): void {
    const { reads } = this.script;
    if (reads === undefined) return;
    this.socket.pause();
    if (reads === 'never') return;
    this.socket.removeAllListeners('data');
    this.slow = setInterval(() => {
      const wanted = Math.min(reads, this.socket.readableLength);
      const bytes: unknown = wanted > 0 ? this.socket.read(wanted) : this.socket.read(0);
      if (Buffer.isBuffer(bytes)) this.take(bytes);
    }, 10);
  }

  private body(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    if (this.script.forget !== true) this.record.push(bytes);
    for (const message of this.script.anyBytes === true ? [] : this.parser.push(bytes)) {
      if (this.script.forget !== true) this.messages.push(message);
      if (this.script.answers === true && message.type === 20) answer(this, message);
    }
    if (this.script.forget === true) this.parser.messages.length = 0;
    const { cutAfter } = this.script;
    if (cutAfter === undefined || this.receivedBytes < cutAfter.bytes) return;
    if (cutAfter.how === 'end') this.end();
    else this.reset();
  }
}
