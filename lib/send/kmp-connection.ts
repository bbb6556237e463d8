import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '../time/clock.js';
import { deadline } from '../time/deadline.js';
import { KmpRtmpError } from '../base/errors.js';
import { AckParser, type Ack } from '../kmp/ack-parser.js';
import { writeNull } from '../kmp/writer.js';

/** ms without a packet after which a `null` packet is sent as a keep-alive. */
const KEEP_ALIVE = 5000;

/** Options of {@link KmpConnection}. */
export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** ms that connecting may take. */
  readonly timeout: number;
  readonly clock: Clock;
  /** Packets that are sent first: `cnct`, `minf`. */
  readonly firstPackets: readonly Buffer[];
}

/** Callbacks of a connection. Nothing is called after `closed`. */
export interface ConnectionEvents {
  connected(): void;
  /** The socket has room again. */
  drained(): void;
  acknowledged(ack: Ack): void;
  /** The connection is closed, by either side; `error` is set if it failed. */
  closed(error: Error | undefined): void;
}

/** One TCP connection to a KMP server, with its first packets, keep-alives and acknowledgements. */
export class KmpConnection {
  private readonly socket: Socket;
  private readonly acks = new AckParser();
  private open = false;
  private timer: Timer;
  private lastWrite = 0;
  /** Bytes given to the socket. */
  written = 0;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly events: ConnectionEvents,
  ) {
    const { host, port, timeout, clock } = options;
    this.socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.timer = deadline(clock, timeout, () => this.socket.destroy(timedOut(timeout)));
    this.socket.on('connect', () => this.connected());
    this.socket.on('drain', () => events.drained());
    this.socket.on('data', (chunk: Buffer) => this.read(chunk));
    let failure: Error | undefined;
    this.socket.on('error', (error) => (failure = error));
    this.socket.on('close', () => {
      this.open = false;
      this.timer.cancel();
      events.closed(failure);
    });
  }

  /** False while the socket's buffer is full; {@link ConnectionEvents.drained} is called when it has room again. */
  get writable(): boolean {
    return this.open && !this.socket.writableNeedDrain;
  }

  /** Writes the pieces in one system call. While not {@link writable}, this is allowed but takes memory. */
  write(pieces: readonly Buffer[]): void {
    this.socket.cork();
    for (const piece of pieces) {
      this.socket.write(piece);
      this.written += piece.length;
    }
    this.socket.uncork();
    this.lastWrite = this.options.clock.now();
  }

  /** Closes the connection after all data is written. */
  end(): void {
    this.socket.end();
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.socket.destroy();
  }

  private connected(): void {
    this.open = true;
    this.timer.cancel();
    this.write(this.options.firstPackets);
    this.keepAlive(KEEP_ALIVE);
    this.events.connected();
  }

  private keepAlive(wait: number): void {
    const { clock } = this.options;
    this.timer = clock.after(
      wait,
      () => {
        const idle = clock.now() - this.lastWrite;
        if (idle >= KEEP_ALIVE && this.writable) this.write([writeNull()]);
        this.keepAlive(idle >= KEEP_ALIVE ? KEEP_ALIVE : KEEP_ALIVE - idle);
      },
      false,
    );
  }

  private read(chunk: Buffer): void {
    try {
      for (const ack of this.acks.feed(chunk)) this.events.acknowledged(ack);
    } catch (error) {
      this.socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function timedOut(timeout: number): KmpRtmpError {
  return new KmpRtmpError('send_connect', `no connection within ${timeout} ms`);
}
