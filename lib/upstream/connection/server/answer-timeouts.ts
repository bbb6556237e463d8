import type { MediaSettings } from '../../../config/settings.js';
import type { Clock, Timer } from '../../../time/clock.js';
import type { TrackStream } from '../../tracks/track.js';
import type { RtmpConnection } from '../rtmp-connection.js';

/**
 * ms without an answer to connect after which the server counts as one that never answers. It applies if the service
 * does not wait for the answer (`kmp_rtmp_out_answer_timeout 0`).
 */
const UNASKED_TIMEOUT = 1_000;

/**
 * ms without an answer to createStream on a connection that publishes already. After that, the server counts as one
 * that supports only one stream per connection.
 */
const FURTHER_STREAM_TIMEOUT = 2_000;

/** Acts on missing answers. */
export interface AnswerTimeoutOwner {
  /** connect was not answered: the server counts as one that never answers. */
  connectUnanswered(connection: RtmpConnection): void;
  /**
   * connect, or createStream or publish of the first stream, was not answered within `timeout` ms. This connection will
   * never publish.
   */
  unanswered(connection: RtmpConnection, command: string, timeout: number): void;
  /** createStream or publish of a further stream was not answered. */
  furtherStreamUnanswered(connection: RtmpConnection, stream: TrackStream): void;
}

/** A command of a stream that waits for its answer. */
interface Request {
  readonly command: string;
  /** ms */
  readonly timeout: number;
  readonly isFirst: boolean;
  readonly isAnswered: () => boolean;
}

type Settings = Pick<MediaSettings, 'outAnswerTimeout' | 'outTimeout' | 'outStreamId'>;

/** Timers for the answers of servers. They do not keep the process alive. */
export class AnswerTimeouts {
  /** The server that has answered connect before, so it is not one that never answers. */
  private answering: string | undefined;
  private connectTimer: Timer | undefined;
  private readonly others = new Set<Timer>();

  constructor(
    private readonly clock: Clock,
    private readonly settings: Settings,
    private readonly owner: AnswerTimeoutOwner,
  ) {}

  /** The handshake is done, and connect was sent. */
  connectSent(connection: RtmpConnection): void {
    this.stop();
    if (connection.isSettled) return;
    const { outAnswerTimeout, outTimeout } = this.settings;
    const first = outAnswerTimeout === 0 ? UNASKED_TIMEOUT : outAnswerTimeout;
    this.wait(first, () => {
      if (this.mayBeSilent(connection)) this.owner.connectUnanswered(connection);
      else this.wait(Math.max(0, outTimeout - first), () => this.connectTimedOut(connection));
    });
  }

  /** The handshake of a replacement is done. Its server asked to reconnect, so it is not one that never answers. */
  replacementConnectSent(connection: RtmpConnection): void {
    const { outTimeout } = this.settings;
    const check = (): void => {
      if (!connection.isOver && !connection.isReady) this.owner.unanswered(connection, 'connect', outTimeout);
    };
    this.after(outTimeout, check);
  }

  /** The server has accepted connect. */
  connectAnswered(connection: RtmpConnection): void {
    this.answering = connection.server;
    this.stop();
  }

  /** The answer to connect is not needed any more. */
  stop(): void {
    this.connectTimer?.cancel();
  }

  /** The session is closed. */
  close(): void {
    this.stop();
    for (const timer of this.others) timer.cancel();
    this.others.clear();
  }

  /** createStream was sent. */
  createStreamSent(connection: RtmpConnection, stream: TrackStream): void {
    const state = connection.streams.get(stream);
    if (state === undefined) return;
    // Only the first stream of a connection is announced before it has its id.
    const isFirst = state.announced;
    const timeout = isFirst ? this.settings.outTimeout : FURTHER_STREAM_TIMEOUT;
    this.watch(connection, stream, { command: 'createStream', timeout, isFirst, isAnswered: () => state.published });
  }

  /** publish was sent. */
  publishSent(connection: RtmpConnection, stream: TrackStream): void {
    const state = connection.streams.get(stream);
    if (state === undefined) return;
    const isFirst = ![...connection.streams.values()].some((other) => other !== state && other.live);
    const timeout = this.settings.outTimeout;
    this.watch(connection, stream, { command: 'publish', timeout, isFirst, isAnswered: () => state.live });
  }

  private wait(ms: number, then: () => void): void {
    this.connectTimer = this.clock.after(ms, then, false);
  }

  private mayBeSilent(connection: RtmpConnection): boolean {
    const { outAnswerTimeout, outStreamId } = this.settings;
    if (outAnswerTimeout === 0) return true;
    return outStreamId !== 'negotiate' && !connection.heard && connection.server !== this.answering;
  }

  private connectTimedOut(connection: RtmpConnection): void {
    // The module assumes all answers. A server that sends other messages, but never answers connect, works with the
    // module.
    if (this.settings.outStreamId === 'assume') this.owner.connectUnanswered(connection);
    else this.owner.unanswered(connection, 'connect', this.settings.outTimeout);
  }

  private watch(connection: RtmpConnection, stream: TrackStream, request: Request): void {
    const { command, timeout, isFirst, isAnswered } = request;
    const state = connection.streams.get(stream);
    const check = (): void => {
      if (connection.isOver || connection.streams.get(stream) !== state || isAnswered()) return;
      // The time counts only while the connection is open.
      if (connection.state !== 'publishing') this.watch(connection, stream, request);
      else if (isFirst) this.owner.unanswered(connection, command, timeout);
      else this.owner.furtherStreamUnanswered(connection, stream);
    };
    this.after(timeout, check);
  }

  private after(ms: number, then: () => void): void {
    const timer = this.clock.after(
      ms,
      () => {
        this.others.delete(timer);
        then();
      },
      false,
    );
    this.others.add(timer);
  }
}
