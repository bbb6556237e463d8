import type { Timer } from '../time/clock.js';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import { writeConnect, writeEnd, writeFrameHeader, writeMediaInfo } from '../kmp/writer.js';
import { KEY_FRAME } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import { withDefaults, type KmpClientOptions, type OutFrame } from './client-options.js';
import { FrameLog } from './frame-log.js';
import { KmpConnection } from './kmp-connection.js';
import { RetryPolicy } from './retry-policy.js';
import { Signal } from './signal.js';

/** ms that frames are kept for a server that has never acknowledged any: it may be one that does not. */
const KEEP_UNACKED = 10_000;

/**
 * ms without an acknowledgement after which the track ends although its last group is not acknowledged: a server that
 * acknowledges whole groups learns from the end of the stream that the last one is whole.
 */
const LAST_GROUP_WAIT = 2000;

/**
 * The sender's side of one track: writes frames as fast as the server takes them, keeps what is not acknowledged, and on a
 * broken connection comes back with it, from the key frame before it (docs/protocol/behaviour.md, Taking over).
 *
 * Errors: `send_connect` (no connection), `send_closed` (the server closed), `send_gave_up` (reconnecting failed for
 * `retryFor`). Once one was thrown, every later call throws it.
 */
export class KmpClient {
  private readonly options: Required<KmpClientOptions>;
  private readonly retries: RetryPolicy;
  private readonly held = new FrameLog();
  private readonly changed = new Signal();
  private connection: KmpConnection | undefined;
  private connected = false;
  private failure: KmpRtmpError | undefined;
  private info: MediaInfo;
  /** The media info that the server knows of, on this connection. */
  private announced: MediaInfo | undefined;
  /** The next frame to write on this connection. */
  private next = 0;
  private retryTimer: Timer | undefined;
  private ending = false;
  private broken = false;
  private finished = false;
  private earlierBytes = 0;
  /** Frames written at least once, counted from the first. */
  sent = 0;
  /** Frames that the server has acknowledged. */
  acked = 0;
  /** Whether it ever acknowledged any. */
  ackSeen = false;
  /** Connections after the first one. */
  reconnects = 0;

  constructor(options: KmpClientOptions) {
    this.options = withDefaults(options);
    this.info = options.info;
    this.retries = new RetryPolicy(this.options.clock, this.options.retryFor);
  }

  /** Bytes written on all connections, headers included. */
  get bytes(): number {
    return this.earlierBytes + (this.connection?.written ?? 0);
  }

  /** True if every frame was written and, unless the server is known not to acknowledge (`expectAcks`), acknowledged. */
  get complete(): boolean {
    const { finished, broken, sent, acked, acksCount } = this;
    return finished && !broken && sent === this.held.end && (!acksCount || acked === sent);
  }

  /** Connects. Does not try again if that fails: then the address is wrong, or nothing runs there. */
  async open(): Promise<void> {
    this.connect();
    await this.until(() => this.connected);
  }

  /** Hands in a frame, and resolves when the next one may come. */
  async frame(frame: OutFrame): Promise<void> {
    this.check();
    const fields = { ...frame, flags: frame.key ? KEY_FRAME : 0, size: frame.data.length };
    const at = this.options.clock.now();
    this.held.push({ header: writeFrameHeader(fields), payload: frame.data, info: this.info, at, key: frame.key });
    this.pump();
    await this.until(() => this.hasRoom());
  }

  /** Announces what the frames from now on are made of. */
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

  /** Closes at once. */
  destroy(): void {
    this.failure ??= new KmpRtmpError('send_aborted', 'the sender was stopped');
    this.retryTimer?.cancel();
    this.connection?.destroy();
    this.changed.raise();
  }

  private async untilAcked(): Promise<void> {
    for (;;) {
      await this.until(() => this.connected && this.next === this.held.end);
      const before = this.acked;
      if (before >= this.held.end || !this.acksCount) return;
      if (!(await this.until(() => this.acked > before || !this.connected, this.ackWait()))) return;
    }
  }

  /** ms to wait for the next acknowledgement before the track ends. */
  private ackWait(): number {
    const { ackTimeout, firstAckTimeout } = this.options;
    if (!this.ackSeen) return firstAckTimeout;
    const onlyLastGroup = this.acked >= this.held.groupStart(this.held.end - 1);
    return onlyLastGroup ? Math.min(LAST_GROUP_WAIT, ackTimeout) : ackTimeout;
  }

  /** Waits for acknowledgements that the server sends once it has the end of the stream. */
  private async untilLastAck(): Promise<void> {
    const done = (): boolean => this.finished || !this.acksCount || this.acked >= this.held.end;
    for (let before = this.acked; !done(); before = this.acked) {
      if (!(await this.until(() => done() || this.acked > before, this.options.ackTimeout))) return;
    }
  }

  /** Whether a frame counts as delivered only when it is acknowledged. */
  private get acksCount(): boolean {
    return this.options.expectAcks || this.ackSeen;
  }

  /** Waits for a condition; false if `timeout` ms passed first. Throws what made the client fail. */
  private async until(condition: () => boolean, timeout?: number): Promise<boolean> {
    let late = false;
    const timer =
      timeout === undefined
        ? undefined
        : this.options.clock.after(timeout, () => {
            late = true;
            this.changed.raise();
          });
    try {
      for (;;) {
        this.check();
        if (condition()) return true;
        if (late) return false;
        await this.changed.raised();
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
    const full = this.held.bytes >= this.options.maxHeld;
    // While the connection is away, frames gather up to the limit, so that a paced sender keeps its pace.
    return !full && (!this.connected || this.connection?.writable === true);
  }

  /** A server that never acknowledges must not make us keep everything. */
  private forgetOld(): void {
    const before = this.options.clock.now() - KEEP_UNACKED;
    const limit = this.options.maxHeld;
    for (let oldest = this.held.get(this.held.first); oldest !== undefined && this.held.first < this.next;) {
      if (oldest.at >= before && this.held.bytes < limit) return;
      this.held.release(this.held.first + 1);
      oldest = this.held.get(this.held.first);
    }
  }

  private pump(): void {
    while (this.connected && this.connection?.writable === true) {
      const frame = this.held.get(this.next);
      if (frame === undefined) break;
      const minf = frame.info === this.announced ? [] : [writeMediaInfo(frame.info)];
      this.announced = frame.info;
      this.connection.write([...minf, frame.header, frame.payload]);
      this.next++;
      this.sent = Math.max(this.sent, this.next);
      this.release();
    }
    this.changed.raise();
  }

  /** A frame that has to be repeated on this connection is kept until it was, even if it is acknowledged meanwhile. */
  private release(): void {
    this.forget(Math.min(this.acked, this.next));
  }

  /**
   * Lets go of what is done, but not of the group that goes on: a server that has lost its state meanwhile (a worker that
   * died, an upstream that ended) waits for a key frame, and one that has not skips what it knows. Unless a group is so long
   * that it leaves no room.
   */
  private forget(done: number): void {
    this.held.release(this.held.groupStart(done));
    if (this.held.bytes > this.options.maxHeld / 2) this.held.release(done);
  }

  private connect(): void {
    const { host, port, channelId, trackId, connectData } = this.options;
    // All that is acknowledged is done: the rest is repeated, from the key frame in front of it.
    this.forget(this.acked);
    this.next = this.held.first;
    this.announced = this.held.get(this.next)?.info ?? this.info;
    const initialFrameId = this.options.initialFrameId + BigInt(this.next);
    const hello = [
      writeConnect({ channelId, trackId, initialFrameId, data: connectData }),
      writeMediaInfo(this.announced),
    ];
    const timeout = this.options.connectTimeout;
    this.connection = new KmpConnection(
      { host, port, timeout, clock: this.options.clock, hello },
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
        `${this.place} acknowledged frame ${frameId}, which was never sent; taken as the last one sent`,
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
      // After the end of the track only what is acknowledged is known to have arrived.
      this.broken = error !== undefined && this.acked < this.held.end;
    } else if (!wasConnected && !this.retries.tried)
      this.fail('send_connect', 'cannot be reached', error, 'does kmp-rtmp run there?');
    else if (this.options.reconnect === false) this.fail('send_closed', 'closed the connection', error);
    else this.retry(error);
    this.changed.raise();
  }

  private retry(error: Error | undefined): void {
    const wait = this.retries.next();
    if (wait === undefined) return this.fail('send_gave_up', 'did not come back in time', error);
    this.options.log.warn(`${this.place} ${reasonOf(error)}; reconnecting in ${wait} ms`);
    this.retryTimer = this.options.clock.after(wait, () => {
      this.reconnects++;
      this.connect();
    });
  }

  private get place(): string {
    return `${this.options.host}:${this.options.port}, track ${this.options.trackId}:`;
  }

  private fail(code: string, what: string, error: Error | undefined, advice = 'its log says why'): void {
    const counts = `${this.sent} frames were sent and ${this.acked} acknowledged`;
    const message = `${this.place} the KMP server ${what} (${reasonOf(error)}); ${counts}; ${advice}`;
    this.failure = new KmpRtmpError(code, message, { cause: error });
  }
}

function reasonOf(error: Error | undefined): string {
  return error === undefined ? 'closed by the server' : messageOf(error);
}
