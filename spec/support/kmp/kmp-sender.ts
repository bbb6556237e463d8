import net from 'node:net';
import { once } from 'node:events';
import { concat, u16le, u32le, u64le } from '../values/bytes.js';
import { connect, end, frameFields, packet } from './kmp-bytes.js';
import { eventually } from '../time/eventually.js';

/** Media info by hand: 90 kHz unless told. */
export interface MinfFields {
  readonly codecId?: number;
  readonly timescale?: number;
  readonly bitrate?: number;
  readonly extraData?: Buffer;
  readonly width?: number;
  readonly channels?: number;
}

export function videoMinf(fields: MinfFields = {}): Buffer {
  const { codecId = 7, timescale = 90000, bitrate = 2_500_000, width = 1280 } = fields;
  const extraData = fields.extraData ?? Buffer.from('avcC');
  const common = concat(u32le(0), u32le(codecId), u32le(timescale), u32le(bitrate));
  return packet('minf', concat(common, u16le(width), u16le(720), u32le(30), u32le(1), u32le(0)), extraData);
}

export function audioMinf(fields: MinfFields = {}): Buffer {
  const { codecId = 1010, timescale = 90000, bitrate = 128_000, channels = 2 } = fields;
  const extraData = fields.extraData ?? Buffer.from('asc');
  const common = concat(u32le(1), u32le(codecId), u32le(timescale), u32le(bitrate));
  return packet('minf', concat(common, u16le(channels), u16le(16), u32le(44100), u64le(3)), extraData);
}

/** A frame at `ms`, in a timescale of 90 kHz; its payload says who it is. */
export function frameAt(ms: number, payload: string | Buffer, { key = false, pts = 0, created = 0 } = {}): Buffer {
  return packet('fram', frameFields(created * 90, ms * 90, key ? 1 : 0, pts * 90), Buffer.from(payload));
}

export interface KmpSenderOptions {
  /** initial_frame_id */
  readonly frameId?: bigint;
  readonly channel?: string;
  readonly track?: string;
  /** Stays connected when the service hangs up. */
  readonly allowHalfOpen?: boolean;
}

/** A KMP sender under a spec's hand: packets go out as they are given, acks are kept as they come. */
export class KmpSender {
  /** frame_id of each `ackf`, in order. */
  readonly acks: bigint[] = [];
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  isClosed = false;
  private pending: Buffer = Buffer.alloc(0);

  private constructor(readonly socket: net.Socket) {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => this.take(bytes));
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
    socket.on('close', () => (this.isClosed = true));
  }

  /** Connects, and sends the connect packet: `data` is the connect data. */
  static async open(
    port: number,
    data: object,
    { frameId = 0n, channel = 'ch1', track = 'v1', allowHalfOpen = false }: KmpSenderOptions = {},
  ): Promise<KmpSender> {
    const sender = await KmpSender.openRaw(port, allowHalfOpen);
    sender.send(connect(data, channel, track, frameId));
    return sender;
  }

  /** Connects, and leaves the rest to the spec. */
  static async openRaw(port: number, allowHalfOpen = false): Promise<KmpSender> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen });
    await once(socket, 'connect');
    return new KmpSender(socket);
  }

  get lastAck(): bigint | undefined {
    return this.acks.at(-1);
  }

  send(...packets: Buffer[]): void {
    this.socket.write(Buffer.concat(packets));
  }

  /** End of stream. The connection stays open until the service has acknowledged every frame. */
  end(): void {
    this.send(end);
  }

  /** End of stream, without waiting for acks. */
  leave(): Promise<void> {
    this.socket.end(end);
    return this.closed;
  }

  /** Settles when all frames below `id` are acknowledged. */
  async acked(id: bigint): Promise<void> {
    await eventually(() => (this.lastAck ?? -1n) >= id, `ack ${id}`);
  }

  destroy(): void {
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    this.pending = Buffer.concat([this.pending, bytes]);
    while (this.pending.length >= 40) {
      const ack = this.pending.subarray(0, 40);
      this.pending = this.pending.subarray(40);
      if (ack.toString('latin1', 0, 4) !== 'ackf') throw new Error(`no ack: ${ack.toString('hex')}`);
      this.acks.push(ack.readBigUInt64LE(16));
    }
  }
}
