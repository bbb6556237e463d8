import type { InputSample, ServiceSample, TrackSample, UpstreamSample } from './status.js';

/** One upstream, as `top` shows it. Rates are undefined until two samples of it are there. */
export interface Row {
  readonly id: string;
  readonly state: string;
  readonly tracks: number;
  /** bits a second */
  readonly bitsIn: number | undefined;
  readonly bitsOut: number | undefined;
  /** Video frames a second; undefined without video too. */
  readonly framesPerSecond: number | undefined;
  /** The slowest track's, ms. */
  readonly delay: number | undefined;
  /** bytes */
  readonly memUsed: number;
  readonly memLimit: number;
  readonly dropped: number;
  readonly reconnects: number;
  readonly lastStatus: string;
  /** It is published, but for a second or more nothing has come in. */
  readonly silent: boolean;
}

/** What comes first: what may want somebody's eye, the highest bit rate, or the first id. */
export const ORDERS = ['state', 'rate', 'id'] as const;
export type Order = (typeof ORDERS)[number];

/** Shortest time, in s, without a byte that counts as silence: senders pause between frames, and input is read in intervals. */
const SILENCE = 0.9;

/** As on the status page; a state that is not known here, or is not said, wants no eye. */
const RANKS = ['reconnecting', 'resolving', 'connecting', 'handshaking', 'silent', 'closing'];

/** The upstreams of a sample in order. Equals are in order of their bit rate, the highest first, then of their ids. */
export function rowsOf(sample: ServiceSample, earlier: ServiceSample | undefined, order: Order = 'state'): Row[] {
  const seconds = earlier === undefined ? 0 : (sample.at - earlier.at) / 1000;
  const rows = [...sample.upstreams].map(([id, upstream]) =>
    rowOf(id, upstream, seconds > 0 ? earlier?.upstreams.get(id) : undefined, seconds),
  );
  const rank = (row: Row): number => (order === 'state' ? rankOf(row) : 0);
  const weight = (row: Row): number => (order === 'id' ? 0 : Math.max(row.bitsIn ?? 0, row.bitsOut ?? 0));
  return rows.sort((a, b) => rank(a) - rank(b) || weight(b) - weight(a) || (a.id < b.id ? -1 : 1));
}

function rankOf({ state, silent }: Row): number {
  const rank = RANKS.indexOf(silent ? 'silent' : state);
  return rank < 0 ? RANKS.length : rank;
}

function rowOf(id: string, upstream: UpstreamSample, earlier: UpstreamSample | undefined, seconds: number): Row {
  const { state, tracks, memLimit, memLeft, reconnects, lastStatus, lastError } = upstream;
  const delays = tracks.flatMap(({ delay }) => (delay === undefined ? [] : [delay]));
  const hasVideo = tracks.some(({ mediaType }) => mediaType === 'video');
  const rate = (read: (input: InputSample) => number, only?: string): number | undefined =>
    earlier && sumOfGrowth(tracks, earlier.tracks, seconds, read, only) / seconds;
  const bytesIn = rate(({ receivedBytes }) => receivedBytes);
  return {
    id,
    state,
    tracks: tracks.length,
    bitsIn: bytesIn === undefined ? undefined : bytesIn * 8,
    // A connection made anew counts from 0.
    bitsOut: earlier && (growth(upstream.sentBytes, earlier.sentBytes) * 8) / seconds,
    framesPerSecond: hasVideo ? rate(({ receivedFrames }) => receivedFrames, 'video') : undefined,
    delay: delays.length === 0 ? undefined : Math.max(...delays),
    memUsed: Math.max(0, memLimit - memLeft),
    memLimit,
    dropped: tracks.reduce((sum, { droppedFrames }) => sum + droppedFrames, 0),
    reconnects,
    // What it reconnects for is news; what the server said before is not.
    lastStatus: state === 'reconnecting' && lastError !== '' ? lastError : lastStatus,
    silent: state === 'publishing' && bytesIn === 0 && seconds >= SILENCE,
  };
}

function growth(now: number, before: number): number {
  return now >= before ? now - before : now;
}

/** What the inputs' counters have grown by. A connection that was not there before has all of its own since then. */
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
