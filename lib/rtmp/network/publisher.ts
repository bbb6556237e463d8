import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { Writable } from '../../base/streams.js';
import { interleaveFamilies, type AddressPenalties } from './address-penalties.js';
import { ClientHandshake } from '../handshake/client.js';
import { PublishError } from '../publish-error.js';
import { permittedOf, type Permit } from './permit.js';
import type { Resolve } from './resolve.js';
import type { TcpEnds } from './tcp-table.js';
import { connectFirst, type ConnectTarget } from './tcp-connect.js';
import { takesDirectWrites, writeAtOnce } from '../../node-internals/direct-ack.js';
import { restOf } from '../../node-internals/gathered-write.js';
import { hasProgress, writeBuffers, writeQueueSize } from '../../node-internals/direct-write.js';
import { testInternals } from '../../node-internals/self-test.js';

/** The input of the publisher: buffers for one writev, and a callback for when the kernel has taken them. */
export interface OutputBatch {
  readonly buffers: readonly Buffer[];
  /** Bytes in all buffers. */
  readonly bytes: number;
  /** Bytes at the beginning that the kernel has already: see {@link RtmpPublisher.offer}. Default 0. */
  readonly taken?: number;
  /** Called once, when the kernel has taken the last byte. */
  sent?(): void;
}

export type PublisherState = 'resolving' | 'connecting' | 'handshaking' | 'publishing' | 'closing';

export interface PublisherOptions {
  readonly target: ConnectTarget;
  /** Bytes sent on the TCP connection before the handshake. */
  readonly header: Buffer | undefined;
  /** Time limit for the TCP connection, for each step of the handshake, and for a write without progress, ms. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly resolve: Resolve;
  /** Decides which of the resolved addresses may be connected to; default: all. */
  readonly permit?: Permit;
  /** The addresses that failed lately; they are tried last. Default: all are equal. */
  readonly penalties?: AddressPenalties | undefined;
  /**
   * Returns a number that grows whenever the server is seen to take something that the kernel had accepted before.
   * undefined: nobody knows at present. Default: only what the kernel accepts shows that the server takes something.
   */
  readonly progress?: () => Promise<number | undefined>;
  readonly onState?: (state: PublisherState) => void;
  /** Called with all bytes of the server, including the handshake, before they are parsed. */
  readonly onReceived?: (bytes: Buffer) => void;
  /** Called when the TCP connection is closed, and no more bytes will arrive. Not called if there was none. */
  readonly onClosed?: () => void;
  /** Called with the bytes that the server sends after the handshake. */
  readonly onReply?: (bytes: Buffer) => void;
}

/** Time for the server to close the connection after we have, ms. Then the connection is cut. */
const LINGER = 5_000;

/** After so many measurements in a row that failed, a server that the kernel sends nothing to counts as gone. */
const MOST_UNKNOWN = 3;

/**
 * The Writable at the end of a pipeline. It establishes the RTMP connection (name, TCP or TLS, header, handshake),
 * then passes batches to the kernel one at a time, so that the data for a slow server waits where the memory account
 * counts it. It ends by closing the connection in order, and fails with a {@link PublishError} whose `stage` names
 * the step.
 */
export class RtmpPublisher extends Writable {
  /** Bytes written to the connection, including header and handshake. */
  writtenBytes = 0;
  /** Bytes that the kernel has taken. */
  sentBytes = 0;
  receivedBytes = 0;
  /** `ip:port` of the server and of this side, set when the connection is established; empty before. */
  remoteAddress = '';
  localAddress = '';
  /** Set when the connection is established. */
  ends: TcpEnds | undefined;
  /** Bytes of the batch that the kernel has not taken completely; 0: there is none. */
  private pendingBytes = 0;
  private socket: Socket | undefined;
  /** Kept for when the socket does not know it any more. */
  private remoteIp: string | undefined;
  private readonly options: PublisherOptions;
  private readonly abort = new AbortController();
  /** How many measurements in a row have failed while a write made no progress. */
  private unknown = 0;
  private stepTimer: Timer | undefined;
  private handshaken = false;
  private closingByUs = false;

  constructor(options: PublisherOptions) {
    super({ objectMode: true, highWaterMark: 2 });
    this.options = options;
  }

  /** Bytes that the kernel has taken, of a batch that is being written too. */
  get handedBytes(): number {
    const { socket, pendingBytes, sentBytes } = this;
    if (pendingBytes === 0 || socket === undefined) return sentBytes;
    return sentBytes + Math.max(0, pendingBytes - writeQueueSize(socket));
  }

  /** True if {@link offer} may be used: the connection is not encrypted. False before the handshake is done. */
  get takesOffers(): boolean {
    return this.handshaken && this.socket !== undefined && takesDirectWrites(this.socket);
  }

  /**
   * Offers bytes to the kernel at once, without a batch. Returns how many it took: 0 if a batch waits ahead of them, if
   * the connection is closed, or if {@link takesOffers} is false. The rest must follow in a batch. Nothing refers to
   * `bytes` afterwards.
   *
   * @param length bytes of `bytes` to offer
   */
  offer(bytes: Buffer, length: number): number {
    const { socket } = this;
    if (socket === undefined || this.writableLength > 0 || this.writableEnded || this.destroyed) return 0;
    if (!this.takesOffers) return 0;
    const taken = writeAtOnce(socket, bytes, length);
    this.writtenBytes += taken;
    this.sentBytes += taken;
    return taken;
  }

  override _construct(callback: (error?: Error | null) => void): void {
    this.open().then(
      () => callback(),
      (error: unknown) => {
        // Destroyed while connecting: the caller knows.
        if (this.destroyed) callback();
        else callback(error instanceof Error ? error : new Error(messageOf(error)));
      },
    );
  }

  /** Also aborts the connecting: `_destroy` alone would be called only after that has ended. */
  override destroy(error?: Error): this {
    this.abort.abort();
    if (!this.handshaken) this.socket?.destroy();
    return super.destroy(error);
  }

  override _write(batch: OutputBatch, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const { socket } = this;
    if (socket === undefined) {
      callback(new PublishError('send', 'there is no connection'));
      return;
    }
    const { taken = 0 } = batch;
    const bytes = batch.bytes - taken;
    this.writtenBytes += bytes;
    this.pendingBytes = bytes;
    let pending = true;
    const done = (error?: Error | null): void => {
      pending = false;
      this.pendingBytes = 0;
      this.stepTimer?.cancel();
      this.stepTimer = undefined;
      if (error) {
        callback(new PublishError('send', `sending failed: ${messageOf(error)}`, { cause: error }));
        return;
      }
      this.unknown = 0;
      this.sentBytes += bytes;
      batch.sent?.();
      callback();
    };
    writeBuffers(socket, restOf(batch.buffers, taken), done, () => {
      if (pending) this.watchProgress(socket, writeQueueSize(socket));
    });
    if (pending) this.watchProgress(socket, writeQueueSize(socket));
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.closingByUs = true;
    this.options.onState?.('closing');
    const { socket } = this;
    if (socket === undefined || socket.destroyed) {
      callback();
      return;
    }
    // The last answers of the server are still read: closing with unread bytes would reset the connection, and a
    // reset may discard what the server has not read yet.
    const cut = this.options.clock.after(LINGER, () => socket.destroy(), false);
    socket.once('close', () => cut.cancel());
    socket.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.abort.abort();
    this.stepTimer?.cancel();
    this.stepTimer = undefined;
    // After a normal end, `_final` waits for the socket to close.
    if (error !== null || !this.writableFinished) this.socket?.destroy();
    callback(error);
  }

  /** Reads nothing more from the server until {@link resumeReplies}. Nor is the end of the connection seen. */
  pauseReplies(): void {
    this.socket?.pause();
  }

  resumeReplies(): void {
    if (this.socket?.isPaused() === true) this.socket.resume();
  }

  /**
   * The server at this address is of no use at the moment: other addresses of its name are tried first for a while.
   * Without effect before there is a connection.
   */
  penalizeAddress(): void {
    const { penalties, target } = this.options;
    if (this.remoteIp !== undefined) penalties?.penalize(target.host, this.remoteIp);
  }

  private async open(): Promise<void> {
    const { target, resolve, permit, penalties, timeout, clock, onState } = this.options;
    onState?.('resolving');
    // A program that uses the library has no start of the service; until the test is done, sockets are used as
    // documented.
    void testInternals();
    const permitted = permittedOf(await resolve(target.host), target, permit);
    if (typeof permitted === 'string') throw new PublishError('start_connect', permitted);
    if (this.destroyed) throw new PublishError('start_connect', 'canceled');
    let addresses = interleaveFamilies(permitted);
    if (penalties !== undefined) addresses = penalties.order(target.host, addresses);
    onState?.('connecting');
    const socket = await connectFirst(target, addresses, {
      timeout,
      clock,
      signal: this.abort.signal,
      onTlsFailure: (address) => penalties?.penalize(target.host, address),
    });
    this.socket = socket;
    this.remoteIp = socket.remoteAddress;
    // Kept, because a socket forgets its addresses when it is reset.
    this.remoteAddress = address(socket.remoteAddress, socket.remotePort);
    this.localAddress = address(socket.localAddress, socket.localPort);
    this.ends = endsOf(socket);
    socket.once('close', () => this.options.onClosed?.());
    if (this.destroyed) {
      socket.destroy();
      throw new PublishError('start_connect', 'canceled');
    }
    onState?.('handshaking');
    try {
      await this.handshake(socket);
    } catch (error) {
      if (!this.destroyed) this.penalizeAddress();
      throw error;
    }
    this.handshaken = true;
    onState?.('publishing');
  }

  private handshake(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      const handshake = new ClientHandshake();
      const fail = (message: string, cause?: unknown): void => {
        this.stepTimer?.cancel();
        reject(new PublishError('handshake', `handshake with ${this.remoteAddress} failed: ${message}`, { cause }));
      };
      const onData = (bytes: Buffer): void => {
        this.received(bytes);
        try {
          const step = handshake.feed(bytes);
          if (step.reply !== undefined) {
            this.countAndSend(socket, step.reply);
            this.startStep(() => fail(`no S2 within ${this.options.timeout} ms`));
          }
          if (!step.done) return;
          this.stepTimer?.cancel();
          this.stepTimer = undefined;
          off();
          this.listen(socket);
          if (step.rest.length > 0) this.options.onReply?.(step.rest);
          resolve();
        } catch (error) {
          off();
          socket.on('error', () => {});
          fail(messageOf(error), error);
        }
      };
      const onError = (error: Error): void => fail(messageOf(error), error);
      const onEnd = (): void => fail('the server closed the connection');
      const off = (): void => {
        socket.off('data', onData);
        socket.off('error', onError);
        socket.off('end', onEnd);
        socket.off('close', onEnd);
      };
      socket.on('data', onData);
      socket.on('error', onError);
      socket.on('end', onEnd);
      socket.on('close', onEnd);
      const { header, timeout } = this.options;
      if (header !== undefined && header.length > 0) this.countAndSend(socket, header);
      this.countAndSend(socket, handshake.hello());
      this.startStep(() => fail(`no S0 and S1 within ${timeout} ms`));
    });
  }

  private countAndSend(socket: Socket, bytes: Buffer): void {
    this.writtenBytes += bytes.length;
    socket.write(bytes, (error) => {
      if (!error) this.sentBytes += bytes.length;
    });
  }

  private startStep(onTimeout: () => void, ms = this.options.timeout): void {
    this.stepTimer?.cancel();
    this.stepTimer = this.options.clock.after(ms, onTimeout);
  }

  private received(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    this.options.onReceived?.(bytes);
  }

  private listen(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => {
      this.received(bytes);
      if (!this.destroyed) this.options.onReply?.(bytes);
    });
    socket.on('error', (error) => this.lost(messageOf(error), error));
    socket.on('end', () => this.lost('the server closed the connection'));
    socket.on('close', () => this.lost('the connection was closed'));
  }

  private lost(message: string, cause?: unknown): void {
    if (this.closingByUs || this.destroyed) return;
    this.destroy(new PublishError('recv', `${this.remoteAddress}: ${message}`, { cause }));
  }

  /**
   * If no byte of a write is taken for `timeout` ms, the server has stopped reading, or is gone. A full kernel buffer
   * takes the next byte only when a third of it is free: a slow server may need longer for that. So it counts as well
   * if the server takes what the kernel had accepted before.
   */
  private watchProgress(socket: Socket, queued: number): void {
    const { timeout, progress } = this.options;
    const half = timeout / 2;
    this.startStep(() => {
      const before = progress?.();
      this.startStep(() => {
        const now = writeQueueSize(socket);
        if (hasProgress(queued, now)) {
          this.unknown = 0;
          this.watchProgress(socket, now);
        } else if (progress === undefined || before === undefined) this.stalled(timeout);
        else void this.checkProgress(socket, Promise.all([before, progress()]));
      }, timeout - half);
    }, half);
  }

  /** @param measuring what the server has taken, before and now; undefined: the measurement has failed */
  private async checkProgress(
    socket: Socket,
    measuring: Promise<readonly [before: number | undefined, now: number | undefined]>,
  ): Promise<void> {
    const { sentBytes } = this;
    const { timeout } = this.options;
    const longest = timeout * MOST_UNKNOWN;
    // The measurement may never end.
    this.startStep(() => this.stalled(longest), longest);
    const [from, to] = await measuring;
    // The batch may have been taken meanwhile.
    if (this.destroyed || this.pendingBytes === 0 || this.sentBytes !== sentBytes) return;
    const isUnknown = from === undefined || to === undefined;
    this.unknown = isUnknown ? this.unknown + 1 : 0;
    if (isUnknown ? this.unknown < MOST_UNKNOWN : to > from) this.watchProgress(socket, writeQueueSize(socket));
    else this.stalled(isUnknown ? timeout * this.unknown : timeout);
  }

  /** @param ms without progress, at least */
  private stalled(ms: number): void {
    this.destroy(new PublishError('send', `${this.remoteAddress} took no byte for ${ms} ms`));
  }
}

function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): TcpEnds | undefined {
  if (localAddress === undefined || remoteAddress === undefined) return undefined;
  if (localPort === undefined || remotePort === undefined) return undefined;
  return { localAddress, localPort, remoteAddress, remotePort };
}

function address(ip: string | undefined, port: number | undefined): string {
  if (ip === undefined || port === undefined) return '';
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
