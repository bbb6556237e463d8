import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { parseAmf, RtmpParse, type ParsedMessage } from '../../support/rtmp/rtmp-parse.js';
import { amf, chunked, u32 } from '../../support/ingest/script-bytes.js';
import type { TrackCheck } from './track-check.js';

const HELLO = 1537;
const HANDSHAKE = HELLO + 1536;
const AUDIO = 8;
const VIDEO = 9;
const COMMAND = 20;
const ACKNOWLEDGEMENT = 3;
const WINDOW = 5;
/** Tag bytes ahead of a frame: kind, packet type (1: a frame), for video the composition time. */
const TAG = { [AUDIO]: 2, [VIDEO]: 5 } as const;

/** How an ingest treats new connections. */
export interface Manners {
  /** Never says a word. */
  readonly silent?: boolean;
  /** The handshake goes out in pieces of so many bytes, one every 20 ms. */
  readonly slowHandshake?: number;
  /** Acknowledges each window of bytes that it has read, as nginx-rtmp does, which does not count the handshake. */
  readonly acknowledges?: boolean;
}

/** An RTMP server that gives every frame to the check of its track. Knows nothing of lib/. */
export class CheckingIngest {
  manners: Manners = {};
  readonly sockets = new Set<Socket>();
  /** Connections so far. */
  connections = 0;
  /** True if the last connection was broken by us: the next one is made in its place. */
  private broke = false;

  private constructor(
    private readonly server: Server,
    /** Finds a track's check by stream name and kind. */
    private readonly check: (stream: string, kind: 'video' | 'audio') => TrackCheck | undefined,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  static async start(
    check: (stream: string, kind: 'video' | 'audio') => TrackCheck | undefined,
  ): Promise<CheckingIngest> {
    const ingest = new CheckingIngest(createServer({ allowHalfOpen: true }), check);
    ingest.server.listen(0, '127.0.0.1');
    await once(ingest.server, 'listening');
    return ingest;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Resets every connection; the port stays open. */
  reset(): void {
    this.broke ||= this.sockets.size > 0;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Reads no more of the connections that are open: what comes stays with the kernel. */
  stall(): void {
    for (const socket of this.sockets) socket.pause();
  }

  /** Gone, as a process that was killed. */
  async kill(): Promise<void> {
    this.reset();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(socket: Socket): void {
    const number = this.connections++;
    const cause = this.broke ? 'break' : 'upstream';
    this.broke = false;
    const connection = new IngestSide(socket, this.manners, (stream, kind, payload) =>
      this.check(stream, kind)?.frame(payload, number, cause),
    );
    this.sockets.add(socket);
    socket.on('data', (bytes) => connection.take(bytes));
    socket.on('end', () => socket.end());
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
  }
}

/** The server's side of one connection. */
class IngestSide {
  private readonly parser = new RtmpParse();
  private head = Buffer.alloc(0);
  private greeted = false;
  private readonly names = new Map<number, string>();
  private streams = 0;
  private read = 0;
  private acknowledged = 0;
  private window = Infinity;

  constructor(
    private readonly socket: Socket,
    private readonly manners: Manners,
    private readonly frame: (stream: string, kind: 'video' | 'audio', payload: Buffer) => void,
  ) {}

  take(bytes: Buffer): void {
    if (this.manners.silent === true) return;
    let rest = bytes;
    if (this.head.length < HANDSHAKE) {
      const before = this.head.length;
      this.head = Buffer.concat([this.head, bytes.subarray(0, HANDSHAKE - before)]);
      rest = bytes.subarray(this.head.length - before);
      if (!this.greeted && this.head.length >= HELLO) this.greet();
    }
    if (rest.length === 0) return;
    for (const message of this.parser.push(rest)) this.message(message);
    // The parser keeps all messages for specs that look at them in the end.
    this.parser.messages.length = 0;
    this.read += rest.length;
    if (this.read - this.acknowledged >= this.window) this.acknowledge();
  }

  private acknowledge(): void {
    this.acknowledged = this.read;
    if (this.socket.writable) this.socket.write(chunked({ type: ACKNOWLEDGEMENT, payload: u32(this.read) }, 128));
  }

  private greet(): void {
    this.greeted = true;
    const answer = Buffer.concat([Buffer.of(3), Buffer.alloc(1536), this.head.subarray(1, HELLO)]);
    const step = this.manners.slowHandshake;
    if (step === undefined) this.socket.write(answer);
    else this.drip(answer, step);
  }

  private drip(bytes: Buffer, step: number): void {
    if (!this.socket.writable || bytes.length === 0) return;
    this.socket.write(bytes.subarray(0, step));
    setTimeout(() => this.drip(bytes.subarray(step), step), 20);
  }

  private message({ type, streamId, payload }: ParsedMessage): void {
    if (type === COMMAND) this.command(streamId, payload);
    if (type === WINDOW && this.manners.acknowledges === true) this.window = payload.readUInt32BE(0);
    if ((type !== AUDIO && type !== VIDEO) || payload[1] !== 1) return;
    const stream = this.names.get(streamId);
    if (stream !== undefined) this.frame(stream, type === AUDIO ? 'audio' : 'video', payload.subarray(TAG[type]));
  }

  private command(streamId: number, payload: Buffer): void {
    const [name, transaction = 0, , first] = parseAmf(payload);
    const reply = (id: number, ...values: Parameters<typeof amf>[0][]): void => {
      if (this.socket.writable) {
        this.socket.write(chunked({ type: COMMAND, streamId: id, payload: Buffer.concat(values.map(amf)) }, 128));
      }
    };
    if (name === 'connect') {
      reply(0, '_result', transaction, null, { level: 'status', code: 'NetConnection.Connect.Success' });
    } else if (name === 'createStream') {
      reply(0, '_result', transaction, null, ++this.streams);
    } else if (name === 'publish') {
      this.names.set(streamId, String(first));
      reply(streamId, 'onStatus', 0, null, {
        level: 'status',
        code: 'NetStream.Publish.Start',
        description: 'started',
      });
    }
  }
}
