import type { SessionSet } from './connection/session-set.js';
import type { UpstreamStream } from './tracks/stream.js';

/** ms over which rates are compared. */
const WINDOW = 10_000;

/** What goes out is far below what comes in if it is less than this share of it. */
const FAR_BELOW = 0.5;

/** Bytes a second that have to come in for a comparison. Less is sound alone, or almost nothing. */
const LEAST = 2_000;

/** Rates over the last window, bytes a second. */
export interface Rates {
  readonly received: number;
  readonly taken: number;
}

/** A beginning of a window: what had come in and gone out by then. */
interface Mark {
  readonly at: number;
  readonly received: number;
  readonly taken: number;
  /** Of what these are the counters: inputs and RTMP connections. They all begin at 0. */
  readonly sources: readonly unknown[];
}

/**
 * Compares what comes in with what the server takes. It is needed while the server is behind: then its position is
 * measured about once a second. It costs two sums of counters for each window of ten seconds.
 */
export class OutputRate {
  private from: Mark | undefined;

  /** The server is not behind, or not connected. */
  pause(): void {
    this.from = undefined;
  }

  /**
   * The server is behind. Returns the rates at the end of each window in which they were far apart.
   *
   * @param now monotonic ms
   */
  check(now: number, streams: Iterable<UpstreamStream>, sessions: SessionSet): Rates | undefined {
    const { from } = this;
    if (from !== undefined && now - from.at < WINDOW) return undefined;
    const to = markAt(now, streams, sessions);
    this.from = to;
    const same = from?.sources.length === to.sources.length && from.sources.every((one, n) => one === to.sources[n]);
    if (from === undefined || !same) return undefined;
    const seconds = (now - from.at) / 1000;
    const received = (to.received - from.received) / seconds;
    const taken = Math.max(0, to.taken - from.taken) / seconds;
    return received >= LEAST && taken < received * FAR_BELOW ? { received, taken } : undefined;
  }
}

function markAt(at: number, streams: Iterable<UpstreamStream>, sessions: SessionSet): Mark {
  const sources: unknown[] = [];
  let received = 0;
  let taken = 0;
  for (const stream of streams) {
    for (const { input } of stream.allTracks()) {
      if (input === undefined) continue;
      sources.push(input);
      received += input.status(at).received_data_bytes;
    }
  }
  for (const { connections } of sessions) {
    const { lag } = connections.current;
    sources.push(lag);
    taken += lag.position;
  }
  return { at, received, taken, sources };
}
