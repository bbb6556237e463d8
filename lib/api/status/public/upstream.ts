import { extend, Rate, type Line, type Times } from './series.js';
import { Track } from './track.js';
import { UPSTREAM_NUMBERS, type StreamInfo, type UpstreamInfo, type UpstreamRow } from './wire.js';

export interface Stream {
  readonly info: StreamInfo;
  readonly tracks: readonly Track[];
}

/** ms without anything from the senders, beyond what the rate spans, after which an upstream counts as silent. */
const SILENCE = 3000;
/** The most that one message says about that, in ms: of a time when no messages came, nothing is known. */
const LONGEST_STEP = 1500;

/** An upstream with its rates and their past. */
export class Upstream {
  readonly key: number;
  info: UpstreamInfo;
  streams: readonly Stream[] = [];
  memLeft = 0;
  writtenBytes = 0;
  sentBytes = 0;
  receivedBytes = 0;
  /** bit/s */
  bitrateIn = 0;
  bitrateOut = 0;
  /** Frames written a second, all tracks. */
  frames = 0;
  /** ms, of the track with the longest */
  delay = 0;
  /** Frames dropped on purpose. */
  dropped = 0;
  /** Frames that came and did not count. */
  skipped = 0;
  readonly lines: Record<'bitrateIn' | 'bitrateOut' | 'frames' | 'delay' | 'memory', Line>;
  /** What a filter looks in, in lower case. */
  searchText = '';
  /** Service time, in ms, at which it began. */
  private began = 0;
  private t: number;
  /** For how many ms it has been publishing with nothing from its senders. */
  private quiet = 0;
  private readonly sent = new Rate();

  constructor(row: UpstreamRow, t: number, times: Times) {
    this.key = row.key;
    this.t = t;
    this.info = row.info;
    const line = (): Line => times.line();
    this.lines = { bitrateIn: line(), bitrateOut: line(), frames: line(), delay: line(), memory: line() };
    this.update(row, t);
  }

  get tracks(): readonly Track[] {
    return this.streams.flatMap(({ tracks }) => tracks);
  }

  get memUsed(): number {
    return Math.max(0, this.info.memLimit - this.memLeft);
  }

  /** It is published, but its senders bring nothing. */
  get silent(): boolean {
    return this.quiet >= SILENCE;
  }

  /** 0..1 */
  get memShare(): number {
    return this.info.memLimit > 0 ? this.memUsed / this.info.memLimit : 0;
  }

  /** s */
  get uptime(): number {
    return Math.max(0, Math.floor((this.t - this.began) / 1000));
  }

  update({ info, uptime, numbers }: UpstreamRow, t: number): void {
    const known = new Map(this.streams.map((stream) => [stream.info.id, stream]));
    this.info = info;
    this.began = t - uptime * 1000;
    this.streams = info.streams.map((stream) => {
      const before = known.get(stream.id)?.tracks ?? [];
      const tracks = stream.tracks.map((track) => {
        const same = before.find(({ info: { media } }) => media === track.media) ?? new Track(track);
        same.info = track;
        return same;
      });
      return { info: stream, tracks };
    });
    this.searchText = searchTextOf(info);
    this.count(numbers);
  }

  /** Takes in the counters. */
  count(numbers: readonly number[]): void {
    const [memLeft = 0, writtenBytes = 0, sentBytes = 0, receivedBytes = 0] = numbers;
    Object.assign(this, { memLeft, writtenBytes, sentBytes, receivedBytes });
    let at: number = UPSTREAM_NUMBERS.length;
    for (const track of this.tracks) at = track.count(numbers, at);
  }

  /** Brings rates and lines up to time `t`, whether or not a counter moved. */
  measure(t: number): void {
    const step = Math.min(t - this.t, LONGEST_STEP);
    this.t = t;
    this.bitrateOut = this.sent.add(t, this.sentBytes) * 8;
    this.bitrateIn = this.frames = this.delay = this.dropped = this.skipped = 0;
    for (const track of this.tracks) {
      track.measure(t);
      this.bitrateIn += track.bitrateIn;
      this.frames += track.framesOut;
      this.delay = Math.max(this.delay, track.delay);
      this.dropped += track.droppedFrames;
      this.skipped += track.skipped;
    }
    this.quiet = this.bitrateIn > 0 || this.info.state !== 'publishing' ? 0 : this.quiet + step;
    const { lines } = this;
    // A rate takes two messages.
    const rate = (value: number): number | null => (this.sent.known ? value : null);
    extend(lines.bitrateIn, rate(this.bitrateIn));
    extend(lines.bitrateOut, rate(this.bitrateOut));
    extend(lines.frames, rate(this.frames));
    extend(lines.delay, this.delay);
    extend(lines.memory, this.memUsed);
  }
}

function searchTextOf({ id, url, state, remoteAddr, lastStatus, lastError, streams }: UpstreamInfo): string {
  const inputs = streams.flatMap(({ name, tracks }) => [
    name,
    ...tracks.flatMap(({ codec, input }) => [codec, input?.channelId, input?.trackId, input?.remoteAddr]),
  ]);
  return [id, url, state, remoteAddr, lastStatus?.code, lastError, ...inputs].join('\n').toLowerCase();
}
