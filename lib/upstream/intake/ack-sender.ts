import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../time/clock.js';
import { writeAck } from '../../kmp/writer.js';
import { writeAtOnce } from '../../node-internals/direct-ack.js';

/** Least time between two acks of a connection, whatever the flush timeout is. */
const MIN_INTERVAL = 100;

/**
 * Sends a connection's acks: only the newest, at most one every `interval`, and none while the last one has not left: a
 * sender that does not read them costs one packet of memory, and is given up after `timeout`.
 */
export class AckSender {
  private newest: bigint | undefined;
  private sent: bigint | undefined;
  private writing = false;
  private lastAt = -Infinity;
  private timer: Timer | undefined;
  private stuck: Timer | undefined;
  private closed = false;

  /**
   * @param interval ms, the upstream's flush timeout
   * @param timeout ms that one ack may take to leave (`kmp_rtmp_in_send_timeout`)
   * @param onStuck called once when it took longer
   * @param onRefused called when the kernel takes nothing of an ack, ahead of the stream's own writing: if the connection is gone,
   *   the stream throws away with it what has come and was not read
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
    this.send();
  }

  /** Sends what is still to be said, without waiting for the interval. */
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
    const wait = this.lastAt + Math.max(MIN_INTERVAL, this.interval) - clock.now();
    if (wait > 0) {
      this.timer ??= clock.after(wait, () => {
        this.timer = undefined;
        this.send();
      });
      return;
    }
    this.lastAt = clock.now();
    this.sent = newest;
    const ack = writeAck(newest);
    const written = writeAtOnce(this.socket, ack);
    if (written === ack.length) return;
    if (written === 0) {
      this.onRefused();
      // What was read may have been the end, and the last ack have been sent on that.
      if (this.closed || this.socket.destroyed || this.socket.writableEnded) return;
    }
    this.writing = true;
    // The timer stands only if the kernel does not take the bytes at once.
    const left = this.socket.write(ack.subarray(written), () => {
      this.writing = false;
      this.stuck?.cancel();
      this.stuck = undefined;
      this.send();
    });
    if (!left || this.socket.writableLength > 0) this.stuck = clock.after(this.timeout, this.onStuck);
  }
}
