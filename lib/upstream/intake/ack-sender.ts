import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../time/clock.js';
import type { InputOptions } from './input-options.js';
import { setAckedFrame, writeAck } from '../../kmp/writer.js';
import { writeAtOnce } from '../../node-internals/direct-ack.js';

/** The least time between two acks of a connection, ms. It applies even if the flush timeout is shorter. */
const MIN_INTERVAL = 100;

/** The packet that all connections send, one after the other. A stream that must keep it gets a copy. */
const ack = writeAck(0n);

/**
 * Sends the acks of a connection. It sends only the newest ack, at most one per `interval`, and waits until the last
 * one has left. So a sender that does not read acks costs the memory of one packet; after `timeout`, its connection is
 * closed.
 */
export class AckSender {
  private newest: bigint | undefined;
  private sent: bigint | undefined;
  private writing = false;
  private lastAt = -Infinity;
  private timer: Timer | undefined;
  private stuck: Timer | undefined;
  private closed = false;
  private readonly onTimer = (): void => {
    this.timer = undefined;
    this.send();
  };

  /**
   * @param interval ms, the upstream's flush timeout
   * @param timeout ms in which the kernel must take an ack (`kmp_rtmp_in_send_timeout`)
   * @param onStuck called once if it took longer
   * @param onRefused called before the stream writes an ack of which the kernel takes nothing: if the connection is
   *   gone, that write discards received bytes that were not read yet
   */
  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly interval: number,
    private readonly timeout: number,
    private readonly onStuck: () => void,
    private readonly onRefused: () => void = () => {},
  ) {}

  acknowledge(frameId: bigint): void {
    this.newest = frameId;
    // The timer sends it: nothing else has to be looked at.
    if (this.timer === undefined) this.send();
  }

  /** Sends the last ack without waiting for the interval. */
  close(): void {
    if (this.closed) return;
    this.lastAt = -Infinity;
    this.send();
    this.closed = true;
    this.timer?.cancel();
    this.stuck?.cancel();
  }

  private send(): void {
    const { newest, clock } = this;
    if (this.closed || this.writing || newest === undefined || newest === this.sent) return;
    if (this.socket.destroyed || this.socket.writableEnded) return;
    const now = clock.now();
    const wait = this.lastAt + Math.max(MIN_INTERVAL, this.interval) - now;
    if (wait > 0) {
      this.timer ??= clock.after(wait, this.onTimer);
      return;
    }
    this.lastAt = now;
    this.sent = newest;
    setAckedFrame(ack, newest);
    const written = writeAtOnce(this.socket, ack);
    if (written === ack.length) return;
    if (written === 0) {
      this.onRefused();
      // The bytes read by `onRefused` may have ended the connection, and the last ack may have been sent then.
      if (this.closed || this.socket.destroyed || this.socket.writableEnded) return;
      // They may also have led to acks of other connections.
      setAckedFrame(ack, newest);
    }
    this.writing = true;
    // The timer is set only if the kernel does not take the bytes at once.
    const left = this.socket.write(Buffer.from(ack.subarray(written)), () => {
      this.writing = false;
      this.stuck?.cancel();
      this.stuck = undefined;
      this.send();
    });
    if (!left || this.socket.writableLength > 0) this.stuck = clock.after(this.timeout, this.onStuck);
  }
}

/** Sends the acks of one connection; undefined if it gets none (`kmp_rtmp_in_ack off`). */
export function ackSenderFor(
  { socket, settings }: Pick<InputOptions, 'socket' | 'settings'>,
  clock: Clock,
  onStuck: (why: string) => void,
  onRefused: () => void,
): AckSender | undefined {
  if (socket === undefined || settings.inAck === 'off') return undefined;
  const { inSendTimeout, outFlushTimeout } = settings;
  const stuck = (): void => onStuck(`it took no ack for ${inSendTimeout} ms (kmp_rtmp_in_send_timeout)`);
  return new AckSender(socket, clock, outFlushTimeout, inSendTimeout, stuck, onRefused);
}
