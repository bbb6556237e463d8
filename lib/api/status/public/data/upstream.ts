import { extend, Rate, type Line, type Times } from './series.js';
import { Track } from './track.js';
import { UPSTREAM_NUMBERS, type ClosedInfo, type StreamInfo, type UpstreamInfo, type UpstreamRow } from './wire.js';

export interface Stream {
  readonly info: StreamInfo;
  readonly tracks: readonly Track[];
}

/** ms without data from the senders, in addition to the period of the rate, after which an upstream is silent. */
const SILENCE = 3000;
/** Maximum time that one message adds to this, in ms: a gap between messages proves nothing. */
const LONGEST_STEP = 1500;

/** An upstream with its rates and their history. */
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
  /** Frames written per second, over all tracks. */
  frames = 0;
  /** ms; the maximum over all tracks: how far the server is behind, at least the time in the service */
  delay = 0;
  /** Number of dropped frames. */
  dropped = 0;
  /** Number of skipped frames. */
  skipped = 0;
  readonly lines: Record<'bitrateIn' | 'bitrateOut' | 'frames' | 'delay' | 'memory', Line>;
  /** Earlier failures that it has not recovered from. */
  failure: ClosedInfo | undefined;
  /** Text for the filter, in lower case. */
  searchText = '';
  /** Time of the service at which the upstream was created, in ms. */
  private began = 0;
  /** Time of the service since when it has been in trouble, in ms. */
  private troubledSince = 0;
  private t: number;
  /** ms for which it has been publishing without data from its senders. */
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

  /** True if only the record of its end is left. */
  get isEnded(): boolean {
    return false;
  }

  get tracks(): readonly Track[] {
    return this.streams.flatMap(({ tracks }) => tracks);
  }

  get memUsed(): number {
    return Math.max(0, this.info.memLimit - this.memLeft);
  }

  /** Whether it is published, but its senders deliver nothing. */
  get silent(): boolean {
    return this.quiet >= SILENCE;
  }

  /** 0..1 */
  get memShare(): number {
    return this.info.memLimit > 0 ? this.memUsed / this.info.memLimit : 0;
  }

  /** s for which it has been in trouble. */
  get troubledFor(): number {
    return Math.max(0, Math.floor((this.t - this.troubledSince) / 1000));
  }

  /** s */
  get uptime(): number {
    return Math.max(0, Math.floor((this.t - this.began) / 1000));
  }

  update({ info, uptime, numbers }: UpstreamRow, t: number): void {
    const known = new Map(this.streams.map((stream) => [stream.info.id, stream]));
    this.info = info;
    this.began = t - uptime * 1000;
    this.troubledSince = t - (info.troubleAge ?? 0) * 1000;
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

  /** Updates the counters. */
  count(numbers: readonly number[]): void {
    const [memLeft = 0, writtenBytes = 0, sentBytes = 0, receivedBytes = 0] = numbers;
    Object.assign(this, { memLeft, writtenBytes, sentBytes, receivedBytes });
    let at: number = UPSTREAM_NUMBERS.length;
    for (const track of this.tracks) at = track.count(numbers, at);
  }

  /** Updates rates and lines to time `t`, even if no counter has changed. */
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
    const publishes = this.info.state === 'publishing' || this.info.state === 'degraded';
    this.quiet = this.bitrateIn > 0 || !publishes ? 0 : this.quiet + step;
    const { lines } = this;
    // A rate requires two messages.
    const rate = (value: number): number | null => (this.sent.known ? value : null);
    extend(lines.bitrateIn, rate(this.bitrateIn));
    extend(lines.bitrateOut, rate(this.bitrateOut));
    extend(lines.frames, rate(this.frames));
    extend(lines.delay, this.delay);
    extend(lines.memory, this.memUsed);
  }
}

function searchTextOf({ id, url, state, remoteAddr, lastStatus, lastError, streams, node }: UpstreamInfo): string {
  const inputs = streams.flatMap(({ name, tracks }) => [
    name,
    ...tracks.flatMap(({ codec, input }) => [codec, input?.channelId, input?.trackId, input?.remoteAddr]),
  ]);
  return [id, url, state, remoteAddr, lastStatus?.code, lastError, node, ...inputs].join('\n').toLowerCase();
}
