import type { Clock, Timer } from '../../time/clock.js';
import type { Line } from './rtmp-connection.js';
import type { UpstreamStream } from '../tracks/stream.js';

/** How long connect may go unanswered before the server counts as one that does not answer, ms. */
const ACCEPT_WAIT = 1_000;

/**
 * How long createStream may go unanswered on a connection that publishes already, ms: its server knows one stream only, then.
 */
const CREATE_WAIT = 2_000;

/** What becomes of it when a server does not answer. */
export interface PatienceOwner {
  /** Connect: the server lets us in without a word, or will not at all. */
  settled(line: Line): void;
  /** createStream of a stream that goes ahead of all others, after `wait` ms: no stream will come of this connection. */
  unanswered(line: Line, wait: number): void;
  /** createStream of a further one. */
  noSecondStream(line: Line, stream: UpstreamStream): void;
}

/** Waits for the answers of servers. None of these waits keeps the process alive. */
export class Patience {
  private acceptTimer: Timer | undefined;

  /** @param timeout ms for the answer to the first createStream of a connection */
  constructor(
    private readonly clock: Clock,
    private readonly timeout: number,
    private readonly owner: PatienceOwner,
  ) {}

  /** The handshake of the connection of the moment is done. */
  accept(line: Line): void {
    this.stop();
    this.acceptTimer = this.clock.after(ACCEPT_WAIT, () => this.owner.settled(line), false);
  }

  /** Connect is answered, or its connection of no more interest. */
  stop(): void {
    this.acceptTimer?.cancel();
  }

  /** createStream is on its way. */
  create(line: Line, stream: UpstreamStream): void {
    const state = line.states.get(stream);
    if (state === undefined) return;
    const wait = state.announced ? this.timeout : CREATE_WAIT;
    const look = (): void => {
      if (line.isOver || state.published || line.states.get(stream) !== state) return;
      if (line.state !== 'publishing') this.create(line, stream);
      else if (state.announced) this.owner.unanswered(line, wait);
      else this.owner.noSecondStream(line, stream);
    };
    this.clock.after(wait, look, false);
  }
}
