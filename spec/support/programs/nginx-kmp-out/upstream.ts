import net from 'node:net';
import type { Clock, Timer } from '../../../../lib/time/clock.js';
import { ascii, concat, pad, u32le, u64le } from '../../values/bytes.js';
import type { ControlCall, Controller, Json } from './controller.js';
import type { PacketLog } from './packet-log.js';

/** kmp_republish_interval in ms, kmp_max_republishes, kmp_timeout in ms. */
const REPUBLISH_INTERVAL = 1000;
const MAX_REPUBLISHES = 15;
const TIMEOUT = 10_000;
const ACK_SIZE = 40;
/** "The sender's frames are consistent": the bit that nginx-kmp-out sets in each connect packet. */
const CONSISTENT = 1;

/** What a controller says of one destination. */
export interface UpstreamAnswer {
  readonly id?: string;
  readonly url: string;
  /** Default true. */
  readonly required?: boolean;
  /** Default `last_acked`. */
  readonly resume_from?: string;
  readonly connect_data?: string;
}

/** What an upstream needs of its track. */
export interface UpstreamOwner {
  readonly controller: Controller;
  readonly clock: Clock;
  readonly log: PacketLog;
  readonly ids: { readonly channel: string; readonly track: string; readonly firstFrame: bigint };
  /** False once the track has ended: then nothing is published again. */
  readonly active: boolean;
  /** Offset up to which bytes may be sent: what was gathered since the last flush is not yet among them. */
  readonly flushed: number;
  /** Body of a republish request for this upstream. */
  republishBody(id: string): Json;
  /** The upstream is gone for good. */
  upstreamEnded(upstream: KmpOutUpstream, why: string): void;
}

/**
 * One destination of a track, as nginx-kmp-out keeps it: one KMP connection after another. A new one begins at the very
 * frame behind the last acknowledged one, whatever kind of frame that is. A connection that breaks is published again
 * at once, or a second after the last time; after 15 times in close succession the upstream ends.
 */
export class KmpOutUpstream {
  readonly id: string;
  readonly required: boolean;
  /** initial_frame_id of each connection, in order. */
  readonly resumedAt: bigint[] = [];
  /** Frames that the track had to forget unacknowledged, since its memory was full. */
  autoAcked = 0;
  ackedFrame: bigint;
  private connectData: Buffer;
  private readonly resumes: boolean;
  private ackedOffset: number;
  private ackedMediaInfo: Buffer = Buffer.alloc(0);
  /** Offset behind the last byte that was given to the connection; undefined before the connect packet. */
  private sent: number | undefined;
  private socket: net.Socket | undefined;
  private received: Buffer = Buffer.alloc(0);
  private republishedAt = -Infinity;
  private republishes = 0;
  private timer: Timer | undefined;
  private call: ControlCall | undefined;
  private neverAgain = false;
  /** Bytes that the kernel has not taken yet. */
  private unsent = 0;
  private gone = false;

  /** @throws Error if the answer cannot be used */
  constructor(
    private readonly owner: UpstreamOwner,
    answer: UpstreamAnswer,
  ) {
    this.id = answer.id ?? '';
    this.required = answer.required ?? true;
    this.resumes = (answer.resume_from ?? 'last_acked') === 'last_acked';
    this.connectData = Buffer.from(answer.connect_data ?? '', 'base64');
    this.ackedFrame = owner.ids.firstFrame;
    this.ackedOffset = 0;
    this.connect(answer.url);
  }

  /** Offset of the first byte that may still be needed. */
  get needed(): number {
    return this.ackedOffset;
  }

  /**
   * What it does now: has or makes a connection, asks the controller, waits until it may ask, or for something to send.
   */
  get state(): 'connection' | 'asking' | 'waiting' | 'idle' | 'ended' {
    if (this.gone) return 'ended';
    if (this.socket !== undefined) return 'connection';
    if (this.call !== undefined) return 'asking';
    return this.timer === undefined ? 'idle' : 'waiting';
  }

  /** Bytes have become ready to be sent. */
  append(): void {
    if (this.sent === undefined) {
      // A connection that broke when all was sent is replaced when there is something to send again.
      if (this.socket === undefined && this.call === undefined && this.timer === undefined) this.askAgain();
      return;
    }
    this.send();
  }

  /** Forgets `bytes` of what is not acknowledged, packet by packet; false if there is nothing to forget. */
  autoAck(bytes: number): boolean {
    const before = this.ackedOffset;
    const { log } = this.owner;
    const forget = (limit: number): void => {
      for (let packet = log.at(this.ackedOffset); packet !== undefined; packet = log.at(this.ackedOffset)) {
        if (this.ackedOffset - before >= bytes || packet.end > limit || packet.kind === 'end') return;
        if (packet.kind === 'frame') this.autoAcked++;
        this.take();
      }
    };
    forget(this.sent ?? log.written);
    if (this.ackedOffset - before < bytes && this.sent !== undefined && this.republish()) forget(log.written);
    return this.ackedOffset > before;
  }

  /** Ends without a word to the track. */
  destroy(): void {
    this.gone = true;
    this.call?.cancel();
    this.timer?.cancel();
    this.socket?.destroy();
  }

  private connect(url: string): void {
    const [, host, port] = /^(?:kmp:\/\/)?(\d+\.\d+\.\d+\.\d+|\[[\da-f:.]+\]):(\d+)$/i.exec(url) ?? [];
    if (host === undefined) throw new Error(`${url} is no kmp://IP:PORT`);
    const socket = net.connect({ host: host.replace(/[[\]]/g, ''), port: Number(port), noDelay: true });
    this.socket = socket;
    this.received = Buffer.alloc(0);
    const timer = this.owner.clock.after(TIMEOUT, () => socket.destroy());
    socket.on('connect', () => {
      timer.cancel();
      this.hello();
      this.send();
    });
    socket.on('data', (bytes: Buffer) => this.read(bytes));
    let why = 'the server closed the connection';
    socket.on('error', (error) => (why = error.message));
    socket.on('close', () => {
      timer.cancel();
      if (this.socket !== socket || this.gone) return;
      // A connection that was never made has all of its bytes still to send.
      this.failed(why);
    });
  }

  private hello(): void {
    const { channel, track } = this.owner.ids;
    this.resumedAt.push(this.ackedFrame);
    const fields = concat(
      pad(channel, 32),
      pad(track, 32),
      u64le(this.ackedFrame),
      u64le(0),
      u32le(0),
      u32le(CONSISTENT),
    );
    const header = concat(ascii('cnct'), u32le(16 + fields.length), u32le(this.connectData.length), u32le(0));
    this.sent = this.ackedOffset;
    this.write(concat(header, fields, this.connectData, this.ackedMediaInfo));
  }

  private write(bytes: Buffer): void {
    const { socket } = this;
    this.unsent += bytes.length;
    socket?.write(bytes, (error) => {
      if (!error && socket === this.socket) this.unsent -= bytes.length;
    });
  }

  private send(): void {
    const { log, flushed } = this.owner;
    if (this.socket === undefined || this.sent === undefined || flushed <= this.sent) return;
    const bytes = log.bytes(this.sent, flushed);
    this.sent = flushed;
    this.write(bytes);
  }

  private read(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    while (this.received.length >= ACK_SIZE) {
      const packet = this.received.subarray(0, ACK_SIZE);
      this.received = this.received.subarray(ACK_SIZE);
      if (packet.toString('latin1', 0, 4) !== 'ackf') {
        this.failed('the server sent something else than an ack');
        return;
      }
      if (this.resumes && !this.acknowledge(packet.readBigUInt64LE(16))) return;
    }
  }

  /** False if the server acknowledges what it cannot have; that ends the upstream. */
  private acknowledge(frameId: bigint): boolean {
    while (this.ackedFrame < frameId) {
      const packet = this.owner.log.at(this.ackedOffset);
      if (packet === undefined || packet.end > (this.sent ?? 0) || packet.kind === 'end') {
        this.neverAgain = true;
        this.failed(`frame ${frameId} was acknowledged, which was not sent`);
        return false;
      }
      this.take();
    }
    return true;
  }

  /** The packet at the acknowledged offset is done. */
  private take(): void {
    const packet = this.owner.log.at(this.ackedOffset);
    if (packet === undefined) return;
    if (packet.kind === 'mediaInfo') this.ackedMediaInfo = packet.bytes;
    if (packet.kind === 'frame') this.ackedFrame++;
    this.ackedOffset = packet.end;
  }

  private failed(why: string): void {
    if (this.republish()) return;
    this.destroy();
    this.owner.upstreamEnded(this, why);
  }

  /** False if it may not be published again. */
  private republish(): boolean {
    if (!this.owner.active || this.neverAgain) return false;
    const elapsed = this.owner.clock.now() - this.republishedAt;
    if (elapsed < REPUBLISH_INTERVAL && this.republishes >= MAX_REPUBLISHES) return false;
    const { socket } = this;
    this.socket = undefined;
    const busy = this.sent === undefined || this.unsent > 0;
    socket?.destroy();
    this.sent = undefined;
    this.unsent = 0;
    if (!this.resumes) this.autoAck(this.owner.log.written);
    if (!busy) return true;
    if (elapsed >= REPUBLISH_INTERVAL) {
      this.republishes = 0;
      this.askAgain();
      return true;
    }
    this.republishes++;
    this.timer = this.owner.clock.after(REPUBLISH_INTERVAL - elapsed, () => {
      this.timer = undefined;
      this.askAgain();
    });
    return true;
  }

  private askAgain(): void {
    this.republishedAt = this.owner.clock.now();
    this.call = this.owner.controller.call({
      body: this.owner.republishBody(this.id),
      onAnswer: (answer) => this.answered(answer as unknown as UpstreamAnswer),
      onFailure: (why) => this.end(why),
    });
  }

  private answered({ url, connect_data }: UpstreamAnswer): boolean {
    try {
      if (connect_data !== undefined) this.connectData = Buffer.from(connect_data, 'base64');
      this.connect(url);
      this.call = undefined;
      return true;
    } catch {
      return false;
    }
  }

  private end(why: string): void {
    this.destroy();
    this.owner.upstreamEnded(this, why);
  }
}
