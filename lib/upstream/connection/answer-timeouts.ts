import type { Clock, Timer } from '../../time/clock.js';
import type { TrackStream } from '../tracks/track.js';
import type { RtmpConnection } from './rtmp-connection.js';

/** How long connect may go unanswered before the server counts as one that does not answer, ms. */
const CONNECT_TIMEOUT = 1_000;

/**
 * How long createStream may go unanswered on a connection that publishes already, ms: its server then knows one stream a
 * connection.
 */
const FURTHER_STREAM_TIMEOUT = 2_000;

/** What a missing answer leads to. */
export interface AnswerTimeoutOwner {
  /** Connect: the server accepts without a word, or never will. */
  connectUnanswered(connection: RtmpConnection): void;
  /** createStream of the first stream, after `timeout` ms: this connection will never publish. */
  firstStreamUnanswered(connection: RtmpConnection, timeout: number): void;
  /** createStream of a further stream. */
  furtherStreamUnanswered(connection: RtmpConnection, stream: TrackStream): void;
}

/** Timers for the answers of servers. None of them keeps the process alive. */
export class AnswerTimeouts {
  private connectTimer: Timer | undefined;

  /** @param timeout ms for the answer to the first createStream of a connection */
  constructor(
    private readonly clock: Clock,
    private readonly timeout: number,
    private readonly owner: AnswerTimeoutOwner,
  ) {}

  /** The handshake is done: connect is on its way. */
  connectSent(connection: RtmpConnection): void {
    this.connectAnswered();
    this.connectTimer = this.clock.after(CONNECT_TIMEOUT, () => this.owner.connectUnanswered(connection), false);
  }

  /** Connect is answered, or its connection is of no more interest. */
  connectAnswered(): void {
    this.connectTimer?.cancel();
  }

  /** createStream is encoded; the time counts while the connection publishes. */
  streamCreated(connection: RtmpConnection, stream: TrackStream): void {
    const state = connection.streams.get(stream);
    if (state === undefined) return;
    const timeout = state.announced ? this.timeout : FURTHER_STREAM_TIMEOUT;
    const check = (): void => {
      if (connection.isOver || state.published || connection.streams.get(stream) !== state) return;
      if (connection.state !== 'publishing') this.streamCreated(connection, stream);
      else if (state.announced) this.owner.firstStreamUnanswered(connection, timeout);
      else this.owner.furtherStreamUnanswered(connection, stream);
    };
    this.clock.after(timeout, check, false);
  }
}
