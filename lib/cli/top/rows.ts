import { failureWord, isFailureShown, newsFrom, shownState, urgencyOf } from '../../api/status/public/data/states.js';
import type { FailedSample, InputSample, ServiceSample, TrackSample, UpstreamSample } from './status.js';

/** One upstream, as `top` shows it. Rates are undefined before its second sample. */
export interface Row {
  readonly id: string;
  /** The node of the fleet that has it; undefined: there is no fleet. */
  readonly node?: string;
  readonly state: string;
  readonly tracks: number;
  /** bits per second */
  readonly bitsIn: number | undefined;
  readonly bitsOut: number | undefined;
  /** Video frames per second; undefined if there is no video. */
  readonly framesPerSecond: number | undefined;
  /** Of the slowest track, ms. */
  readonly delay: number | undefined;
  /** bytes */
  readonly memUsed: number;
  readonly memLimit: number;
  readonly dropped: number;
  readonly reconnects: number;
  readonly lastStatus: string;
  /** It is published, but nothing was received for a second or more. */
  readonly silent: boolean;
}

/** Orders of the rows: upstreams that need attention first, highest bit rate first, or by id. */
export const ORDERS = ['state', 'rate', 'id'] as const;
export type Order = (typeof ORDERS)[number];

/**
 * Time without a byte that counts as silence, s. Shorter pauses are normal: senders pause between frames, and input is
 * read in intervals.
 */
const SILENCE = 0.9;

/** The sorted upstreams of a sample. Equal ones are sorted by bit rate, highest first, then by id. */
export function rowsOf(sample: ServiceSample, earlier: ServiceSample | undefined, order: Order = 'state'): Row[] {
  const seconds = earlier === undefined ? 0 : (sample.at - earlier.at) / 1000;
  const rows = [...sample.upstreams].map(([id, upstream]) =>
    rowOf(id, upstream, seconds > 0 ? earlier?.upstreams.get(id) : undefined, seconds),
  );
  const live = new Map(rows.map((row) => [row.id, row]));
  for (const failed of sample.failed ?? []) {
    const row = live.get(failed.id);
    if (row === undefined) rows.push(failedRow(failed));
    else if (row.state !== 'publishing' && isFailureShown(row.state)) Object.assign(row, failing(failed, row.state));
  }
  const rank = (row: Row): number => (order === 'state' ? urgencyOf(shownState(row.state, row.silent)) : 0);
  const weight = (row: Row): number => (order === 'id' ? 0 : Math.max(row.bitsIn ?? 0, row.bitsOut ?? 0));
  return rows.sort((a, b) => rank(a) - rank(b) || weight(b) - weight(a) || (a.id < b.id ? -1 : 1));
}

/** The row of an upstream that has failed and is gone. */
function failedRow(failed: FailedSample): Row {
  return {
    id: failed.id,
    ...(failed.node === undefined ? {} : { node: failed.node }),
    tracks: 0,
    bitsIn: undefined,
    bitsOut: undefined,
    framesPerSecond: undefined,
    delay: undefined,
    memUsed: 0,
    memLimit: 0,
    dropped: failed.droppedFrames,
    reconnects: 0,
    silent: false,
    ...failing(failed, ''),
  };
}

/** State and news of an upstream that has failed, whether it is gone or tries again. */
function failing({ reason, why, since, count }: FailedSample, state: string): Pick<Row, 'state' | 'lastStatus'> {
  const times = count > 1 ? `${count} times ` : '';
  const from = Number.isNaN(since) ? '' : `since ${new Date(since).toTimeString().slice(0, 8)}`;
  const now = state === '' ? '' : `, now ${state}`;
  return { state: failureWord(reason, true), lastStatus: `${times}${from}${now}: ${why}`.trim() };
}

function rowOf(id: string, upstream: UpstreamSample, earlier: UpstreamSample | undefined, seconds: number): Row {
  const { state, tracks, memLimit, memLeft, reconnects } = upstream;
  const delays = tracks.flatMap(({ delay, lag }) => (delay === undefined ? [] : [Math.max(delay, lag)]));
  const hasVideo = tracks.some(({ mediaType }) => mediaType === 'video');
  const rate = (read: (input: InputSample) => number, only?: string): number | undefined =>
    earlier && sumOfGrowth(tracks, earlier.tracks, seconds, read, only) / seconds;
  const bytesIn = rate(({ receivedBytes }) => receivedBytes);
  return {
    id,
    ...(upstream.node === undefined ? {} : { node: upstream.node }),
    state,
    tracks: tracks.length,
    bitsIn: bytesIn === undefined ? undefined : bytesIn * 8,
    // A new connection counts from 0.
    bitsOut: earlier && (growth(upstream.sentBytes, earlier.sentBytes) * 8) / seconds,
    framesPerSecond: hasVideo ? rate(({ receivedFrames }) => receivedFrames, 'video') : undefined,
    delay: delays.length === 0 ? undefined : Math.max(...delays),
    memUsed: Math.max(0, memLimit - memLeft),
    memLimit,
    dropped: tracks.reduce((sum, { droppedFrames }) => sum + droppedFrames, 0),
    reconnects,
    lastStatus: newsOf(upstream),
    silent: (state === 'publishing' || state === 'degraded') && bytesIn === 0 && seconds >= SILENCE,
  };
}

/** What is new about an upstream: `newsFrom`. The next attempt is a time from now. */
function newsOf({ state, degraded, backup, lastStatus, lastError, nextAttempt }: UpstreamSample): string {
  return newsFrom({
    state,
    degraded,
    backup,
    said: lastStatus,
    lastError,
    nextAttempt: nextAttempt === undefined ? '' : `next attempt in ${nextAttempt} s`,
  });
}

function growth(now: number, before: number): number {
  return now >= before ? now - before : now;
}

/** How much the counters of the inputs have grown. For a new connection, this is the whole counter. */
function sumOfGrowth(
  tracks: readonly TrackSample[],
  earlier: readonly TrackSample[],
  seconds: number,
  read: (input: InputSample) => number,
  mediaType?: string,
): number {
  const before = new Map(earlier.flatMap(({ input }) => (input === undefined ? [] : [[input.connection, input]])));
  let sum = 0;
  for (const track of tracks) {
    const { input } = track;
    if (input === undefined || (mediaType !== undefined && track.mediaType !== mediaType)) continue;
    const known = before.get(input.connection);
    if (known !== undefined) sum += growth(read(input), read(known));
    else if (input.uptime <= seconds + 1) sum += read(input);
  }
  return sum;
}
