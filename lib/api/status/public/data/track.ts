import { Rate } from './series.js';
import { TRACK_NUMBERS, type TrackInfo } from './wire.js';

type Counters = Record<(typeof TRACK_NUMBERS)[number], number>;

/** A track with its rates. */
export class Track {
  readonly counters: Counters = Object.fromEntries(TRACK_NUMBERS.map((name) => [name, 0])) as Counters;
  /** bit/s of the KMP connection */
  bitrateIn = 0;
  /** bit/s of the payload */
  bitrateOut = 0;
  /** frames/s */
  framesIn = 0;
  framesOut = 0;
  private readonly sentFrames = new Rate();
  private readonly sentBytes = new Rate();
  private readonly receivedFrames = new Rate();
  private readonly receivedBytes = new Rate();

  constructor(public info: TrackInfo) {}

  /** ms: how far the server is behind; at least the time that the last frame spent in the service */
  get delay(): number {
    return Math.max(this.counters.delay, this.counters.lag);
  }

  get droppedFrames(): number {
    return this.counters.droppedFrames;
  }

  /** Number of skipped frames, for any reason. */
  get skipped(): number {
    const { duplicate, empty, emptyDuration, noMediaInfo, noKey } = this.counters;
    return duplicate + empty + emptyDuration + noMediaInfo + noKey;
  }

  /** @returns the index of the counters of the next track */
  count(numbers: readonly number[], at: number): number {
    TRACK_NUMBERS.forEach((name, index) => {
      this.counters[name] = numbers[at + index] ?? 0;
    });
    return at + TRACK_NUMBERS.length;
  }

  measure(t: number): void {
    const { counters } = this;
    this.framesOut = this.sentFrames.add(t, counters.sentFrames);
    this.bitrateOut = this.sentBytes.add(t, counters.sentBytes) * 8;
    this.framesIn = this.receivedFrames.add(t, counters.receivedFrames);
    this.bitrateIn = this.receivedBytes.add(t, counters.receivedBytes) * 8;
  }
}
