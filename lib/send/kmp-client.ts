import type { Timer } from '../time/clock.js';
import { KmpRtmpError, type ErrorCode, messageOf } from '../base/errors.js';
import { writeConnect, writeEnd, writeFrameHeader, writeMediaInfo } from '../kmp/writer.js';
import { KEY_FRAME } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import {
  UpstreamRefused,
  withDefaults,
  type CompleteOptions,
  type KmpClientOptions,
  type KmpTarget,
  type OutFrame,
} from './client-options.js';
import { SendBuffer } from './send-buffer.js';
import { KmpConnection } from './kmp-connection.js';
import { RetryPolicy } from './retry-policy.js';
import { Condition } from './condition.js';

/** ms for which frames are kept for a server that has not acknowledged any: it may be a server that never does. */
const KEEP_UNACKED = 10_000;

/**
 * ms without an acknowledgement after which the track ends although its last group is not acknowledged: a server that
 * acknowledges whole groups learns from the end of the stream that the last one is whole.
 */
const LAST_GROUP_WAIT = 2000;

/**
 * Sends one track over KMP. It writes frames as fast as the server takes them and keeps the unacknowledged ones. After
 * a broken connection it reconnects and sends these again, from the key frame before them (docs/protocol/behaviour.md,
 * Taking over).
 *
 * Errors: `send_connect` (no connection), `send_closed` (the server closed it), `send_gave_up` (reconnecting failed for
 * `retryFor` ms), `send_refused` (`renew` has ended it). After an error, every later call throws the same error.
 */
export class KmpClient {
  private readonly options: CompleteOptions;
  private readonly retries: RetryPolicy;
  private readonly buffer = new SendBuffer();
  private readonly changed = new Condition();
  private connection: KmpConnection | undefined;
  private connected = false;
  private failure: KmpRtmpError | undefined;
  private info: MediaInfo;
  /** The last media info that was written on this connection. */
  private announced: MediaInfo | undefined;
  /** The next frame to write on this connection. */
  private next = 0;
  private retryTimer: Timer | undefined;
  private ending = false;
  private broken = false;
  private finished = false;
  private earlierBytes = 0;
  private target: KmpTarget;
  /** Frames written at least once, counted from the first. */
  sent = 0;
  /** Frames that the server has acknowledged. */
  acked = 0;
  /** Whether the server has acknowledged any frame. */
  ackSeen = false;
  /** Connections after the first one. */
  reconnects = 0;

  constructor(options: KmpClientOptions) {
    this.options = withDefaults(options);
    this.target = options;
    this.info = options.info;
    this.retries = new RetryPolicy(this.options.clock, this.options.retryFor);
  }

  /** Bytes written on all connections, headers included. */
  get bytes(): number {
    return this.earlierBytes + (this.connection?.written ?? 0);
  }

  /**
   * True if every frame was written and, unless the server is known not to acknowledge (`expectAcks`), acknowledged.
   */
  get complete(): boolean {
    const { finished, broken, sent, acked, acksCount } = this;
    return finished && !broken && sent === this.buffer.end && (!acksCount || acked === sent);
  }

  /** Connects. A failure is final: the address is wrong, or no server runs there. */
  async open(): Promise<void> {
    this.connect();
    await this.until(() => this.connected);
  }

  /** Starts connecting, without waiting for the connection. */
  start(): void {
    this.connect();
  }

  /** Adds a frame. Resolves when there is room for the next one. */
  async frame(frame: OutFrame): Promise<void> {
    this.push(frame);
    await this.until(() => this.hasRoom());
  }

  /**
   * Adds a frame without waiting; the caller has to ask {@link isFull} first. Throws the error that the client failed
   * with.
   */
  push(frame: OutFrame): void {
    this.check();
    const fields = { ...frame, flags: frame.key ? KEY_FRAME : 0, size: frame.data.length };
    const at = this.options.clock.now();
    this.buffer.push({ header: writeFrameHeader(fields), payload: frame.data, info: this.info, at, key: frame.key });
    this.pump();
  }

  /**
   * True if frames take `maxHeld` bytes or more, so that further ones have to wait or to be dropped. If the source is
   * live, frames that were written are forgotten first, the oldest before the others.
   */
  isFull(): boolean {
    const { live, maxHeld } = this.options;
    if (live && this.buffer.bytes >= maxHeld) this.forgetWritten(maxHeld / 2);
    return this.buffer.bytes >= maxHeld;
  }

  /** Resolves when the client is not full. Throws the error that the client failed with. */
  async room(): Promise<void> {
    await this.until(() => !this.isFull());
  }

  /** Sets the media info of the frames that follow. */
  mediaInfo(info: MediaInfo): void {
    this.info = info;
  }

  /** Waits until all frames are written and acknowledged, ends the track and closes the connection. */
  async finish(): Promise<void> {
    await this.untilAcked();
    this.ending = true;
    this.connection?.write([writeEnd()]);
    await this.untilLastAck();
    this.connection?.end();
    await this.until(() => this.finished, this.options.ackTimeout);
    this.finished = true;
    this.connection?.destroy();
  }

  /**
   * Ends a live track: writes the end of the stream as soon as all frames are written, waits for acknowledgements, and
   * closes the connection. Each of the three waits (for frames, acknowledgements and the end of the connection) takes
   * at most `wait` ms.
   */
  async end(wait: number): Promise<void> {
    try {
      if (!(await this.until(() => this.connected && this.next === this.buffer.end, wait))) return;
      this.ending = true;
      this.connection?.write([writeEnd()]);
      await this.until(() => this.finished || this.acked >= this.buffer.end, wait);
      this.connection?.end();
      await this.until(() => this.finished, wait);
    } finally {
      this.destroy();
    }
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.failure ??= new KmpRtmpError('send_aborted', 'the sender was stopped');
    this.retryTimer?.cancel();
    this.connection?.destroy();
    this.changed.notify();
  }

  private async untilAcked(): Promise<void> {
    for (;;) {
      await this.until(() => this.connected && this.next === this.buffer.end);
      const before = this.acked;
      if (before >= this.buffer.end || !this.acksCount) return;
      if (!(await this.until(() => this.acked > before || !this.connected, this.ackWait()))) return;
    }
  }

  /** ms to wait for the next acknowledgement before the track ends. */
  private ackWait(): number {
    const { ackTimeout, firstAckTimeout } = this.options;
    if (!this.ackSeen) return firstAckTimeout;
    const onlyLastGroup = this.acked >= this.buffer.groupStart(this.buffer.end - 1);
    return onlyLastGroup ? Math.min(LAST_GROUP_WAIT, ackTimeout) : ackTimeout;
  }

  /** Waits for acknowledgements that the server sends once it has the end of the stream. */
  private async untilLastAck(): Promise<void> {
    const done = (): boolean => this.finished || !this.acksCount || this.acked >= this.buffer.end;
    for (let before = this.acked; !done(); before = this.acked) {
      if (!(await this.until(() => done() || this.acked > before, this.options.ackTimeout))) return;
    }
  }

  /** Whether a frame counts as delivered only when it is acknowledged. */
  private get acksCount(): boolean {
    return this.options.expectAcks || this.ackSeen;
  }

  /**
   * Waits for a condition; false if `timeout` ms passed before it held. Throws the error that the client failed with.
   */
  private async until(condition: () => boolean, timeout?: number): Promise<boolean> {
    let late = false;
    const timer =
      timeout === undefined
        ? undefined
        : this.options.clock.after(timeout, () => {
            late = true;
            this.changed.notify();
          });
    try {
      for (;;) {
        this.check();
        if (condition()) return true;
        if (late) return false;
        await this.changed.wait();
      }
    } finally {
      timer?.cancel();
    }
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private hasRoom(): boolean {
    if (!this.ackSeen) this.forgetOld();
    const full = this.isFull();
    // Without a connection, frames are buffered up to the limit, so that a paced sender keeps its pace.
    return !full && (!this.connected || this.connection?.writable === true);
  }

  /** Limits what is kept for a server that never acknowledges. */
  private forgetOld(): void {
    const before = this.options.clock.now() - KEEP_UNACKED;
    const limit = this.options.maxHeld;
    for (let oldest = this.buffer.get(this.buffer.first); oldest !== undefined && this.buffer.first < this.next;) {
      if (oldest.at >= before && this.buffer.bytes < limit) return;
      this.buffer.release(this.buffer.first + 1);
      oldest = this.buffer.get(this.buffer.first);
    }
  }

  /** Forgets written frames, the oldest first, until at most `bytes` are held or all that is left is unwritten. */
  private forgetWritten(bytes: number): void {
    while (this.buffer.bytes > bytes && this.buffer.first < this.next) this.buffer.release(this.buffer.first + 1);
  }

  private pump(): void {
    while (this.connected && this.connection?.writable === true) {
      const frame = this.buffer.get(this.next);
      if (frame === undefined) break;
      const minf = frame.info === this.announced ? [] : [writeMediaInfo(frame.info)];
      this.announced = frame.info;
      this.connection.write([...minf, frame.header, frame.payload]);
      this.next++;
      this.sent = Math.max(this.sent, this.next);
      this.release();
    }
    this.changed.notify();
  }

  /**
   * Keeps frames that have to be sent again on this connection until they are, even if they are acknowledged before.
   */
  private release(): void {
    this.forget(Math.min(this.acked, this.next));
  }

  /**
   * Removes acknowledged frames, but keeps the current group of pictures: a server that has lost its state (a worker
   * that died, an upstream that ended) waits for a key frame, and any other server skips the frames that it knows. If
   * the group needs more than half of the buffer, its acknowledged frames are removed too.
   */
  private forget(done: number): void {
    this.buffer.release(this.buffer.groupStart(done));
    if (this.buffer.bytes > this.options.maxHeld / 2) this.buffer.release(done);
  }

  private connect(): void {
    const { channelId, trackId } = this.options;
    const { host, port, connectData } = this.target;
    // Unacknowledged frames are sent again, from the key frame before them.
    this.forget(this.acked);
    this.next = this.buffer.first;
    this.announced = this.buffer.get(this.next)?.info ?? this.info;
    const initialFrameId = this.options.initialFrameId + BigInt(this.next);
    const firstPackets = [
      writeConnect({ channelId, trackId, initialFrameId, data: connectData }),
      writeMediaInfo(this.announced),
    ];
    const timeout = this.options.connectTimeout;
    this.connection = new KmpConnection(
      { host, port, timeout, clock: this.options.clock, firstPackets },
      {
        connected: () => {
          this.connected = true;
          this.retries.connected();
          this.pump();
        },
        drained: () => this.pump(),
        acknowledged: ({ frameId }) => this.acknowledged(frameId),
        closed: (error) => this.closed(error),
      },
    );
  }

  private acknowledged(frameId: bigint): void {
    const id = Number(frameId - this.options.initialFrameId);
    if (id > this.sent)
      this.options.log.warn(
        `${this.place} acknowledged frame ${frameId}, which was never sent; it counts as the last one sent`,
      );
    this.ackSeen = true;
    this.acked = Math.max(this.acked, Math.min(id, this.sent));
    this.release();
    this.retries.succeeded();
    this.pump();
  }

  private closed(error: Error | undefined): void {
    const wasConnected = this.connected;
    this.connected = false;
    this.earlierBytes += this.connection?.written ?? 0;
    this.connection = undefined;
    if (this.ending || this.failure !== undefined) {
      this.finished = true;
      // After the end of the track, only acknowledged frames are known to have arrived.
      this.broken = error !== undefined && this.acked < this.buffer.end;
    } else if (!wasConnected && !this.retries.tried && !this.options.retryFirst)
      this.fail('send_connect', 'cannot be reached', error, 'is kmp-rtmp running there?');
    else if (this.options.reconnect === false) this.fail('send_closed', 'closed the connection', error);
    else this.retry(error);
    this.changed.notify();
  }

  private retry(error: Error | undefined): void {
    const wait = this.retries.next();
    if (wait === undefined) return this.fail('send_gave_up', 'could not be reached again in time', error);
    this.options.log.warn(`${this.place} ${reasonOf(error)}; reconnecting in ${wait} ms`);
    this.retryTimer = this.options.clock.after(wait, () => {
      this.reconnects++;
      this.reconnect();
    });
  }

  private reconnect(): void {
    const { renew } = this.options;
    if (renew === undefined) return this.connect();
    renew().then(
      (target) => {
        this.target = target;
        if (this.failure === undefined) this.connect();
      },
      (reason: unknown) => {
        if (reason instanceof UpstreamRefused) this.failure ??= reason;
        this.closed(reason instanceof Error ? reason : new Error(String(reason)));
      },
    );
  }

  private get place(): string {
    return `${this.target.host}:${this.target.port}, track ${this.options.trackId}:`;
  }

  private fail(code: ErrorCode, what: string, error: Error | undefined, advice = 'see its log'): void {
    const counts = `${this.sent} frames were sent and ${this.acked} acknowledged`;
    const message = `${this.place} the KMP server ${what} (${reasonOf(error)}); ${counts}; ${advice}`;
    this.failure = new KmpRtmpError(code, message, { cause: error });
  }
}

function reasonOf(error: Error | undefined): string {
  return error === undefined ? 'closed by the server' : messageOf(error);
}
