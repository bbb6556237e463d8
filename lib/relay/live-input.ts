import type { Timer } from '../time/clock.js';
import type { MediaType } from '../media/codec.js';
import type { MediaInfo } from '../media/media-info.js';
import type { EndReason, IngestMessage, IngestStream } from '../ingest/ingest-stream.js';
import type { InputFields } from './controller.js';
import { LiveTrack, type LiveContext, type LiveFailure } from './live-track.js';
import { FlvTrackParser } from '../source/flv/flv-track.js';
import { NO_RATES, readRates } from '../source/flv/flv-metadata.js';

/** ms that the encoder may be kept waiting for a service that takes nothing. */
const STALL_TIMEOUT = 60_000;
/** Units of KMP timestamps per ms: the timescale is 90000. */
const PER_MS = 90;

/** The reasons of nginx-rtmp-kmp-module for the end of a track. */
const END_REASONS: Readonly<Record<EndReason, string>> = {
  unpublished: 'rtmp_close',
  closed: 'rtmp_close',
  replaced: 'rtmp_close',
  failed: 'rtmp_error',
  refused: 'upstream_error',
};

/** The end of a stream: its last timestamp, and the monotonic time at which the frame came; both in ms. */
export interface StreamEnd {
  readonly time: number;
  readonly at: number;
}

/** A published stream on its way to KMP: its messages become frames of up to two tracks. */
export class LiveInput {
  /** Settles when all tracks have ended. */
  readonly ended: Promise<void>;
  private readonly tracks = new Map<MediaType, LiveTrack>();
  private readonly parsers = { video: new FlvTrackParser('video'), audio: new FlvTrackParser('audio') };
  private readonly reported = new Set<string>();
  private rates = NO_RATES;
  /** The last RTMP timestamp, and the same without wrapping, both in ms. */
  private lastTimestamp: number | undefined;
  private time = 0;
  private last: StreamEnd | undefined;
  private isHeld = false;
  private failed = false;
  private readonly name: string;
  private readonly args: string;

  constructor(
    private readonly stream: IngestStream,
    private readonly input: InputFields,
    private readonly context: LiveContext,
    /** The end of the stream of this name before it: this one continues its timestamps. */
    private readonly previous?: StreamEnd,
  ) {
    const query = stream.name.indexOf('?');
    this.name = query < 0 ? stream.name : stream.name.slice(0, query);
    this.args = query < 0 ? '' : stream.name.slice(query + 1);
    stream.on('message', (message) => this.take(message));
    this.ended = new Promise((resolve) => {
      stream.once('end', (reason) => {
        const ends = [...this.tracks.values()].map((track) => track.end(END_REASONS[reason]));
        void Promise.all(ends).then(() => resolve());
      });
    });
  }

  /** The last frame so far, if there was one. */
  get end(): StreamEnd | undefined {
    return this.last;
  }

  /** Closes all connections at once. */
  destroy(): void {
    for (const track of this.tracks.values()) track.destroy();
  }

  private take({ kind, timestamp, payload }: IngestMessage): void {
    if (this.failed) return;
    if (kind === 'data') {
      this.rates = readRates(payload) ?? this.rates;
      return;
    }
    const media = this.parsers[kind].take(payload, this.rates);
    if (media.kind === 'unsupported') this.unsupported(media.what, media.ignorable);
    else if (media.kind === 'info') this.track(media.info);
    else if (media.kind === 'frame') {
      const { info, key, cts } = media;
      const dts = this.unwrapped(timestamp) * PER_MS;
      const created = Math.round(this.context.clock.wall() * PER_MS);
      // The payload is a slice of what was read from the socket. A copy does not keep all of that in memory.
      const data = Buffer.from(media.data);
      this.track(info).frame({ created, dts, ptsDelay: cts * PER_MS, key, data }, info);
      this.waitForRoom();
    }
  }

  /**
   * Timestamps are 32 bits and wrap after 49 days; those of the tracks may be a little out of order. Those of sequence
   * headers do not count: they are often 0. An encoder that returns begins at 0 again, but its upstream may still be
   * there: its timestamps continue by the time that has passed.
   */
  private unwrapped(timestamp: number): number {
    const { lastTimestamp, previous } = this;
    const at = this.context.clock.now();
    if (lastTimestamp !== undefined) this.time += (timestamp - lastTimestamp) | 0;
    else this.time = previous === undefined ? timestamp : previous.time + Math.max(1, Math.round(at - previous.at));
    this.lastTimestamp = timestamp;
    this.last = { time: Math.max(this.time, this.last?.time ?? this.time), at };
    return this.time;
  }

  private track(info: MediaInfo): LiveTrack {
    const found = this.tracks.get(info.mediaType);
    if (found !== undefined) return found;
    const { input, name, args, stream, context } = this;
    const fields = { input, name, args, publishType: stream.publishType, info };
    const track = new LiveTrack(fields, context, (failure) => this.fail(failure));
    this.tracks.set(info.mediaType, track);
    return track;
  }

  private unsupported(what: string, ignorable: boolean): void {
    if (!ignorable) {
      const why = `${what} cannot be passed on: KMP carries H.264, H.265, AAC, MP3, Opus, AC-3 and E-AC-3`;
      this.fail({ refused: true, why: `${why}; choose one of these in the encoder` });
      return;
    }
    if (!this.reported.has(what)) this.context.log.warn(`"${this.context.label}" has ${what}, which is left out`);
    this.reported.add(what);
  }

  private fail({ refused, why }: LiveFailure): void {
    if (this.failed) return;
    this.failed = true;
    this.context.log.warn(`the publisher of "${this.context.label}" is disconnected: ${why}`, {
      peer: this.stream.remoteAddress,
    });
    this.stream.refuse({ code: refused ? 'NetStream.Publish.Rejected' : 'NetStream.Failed', description: why });
  }

  /** Reads no more from the encoder while a track has no room. */
  private waitForRoom(): void {
    if (this.isHeld || !this.isFull) return;
    this.isHeld = true;
    this.stream.pause();
    const why = `the service has taken nothing for ${STALL_TIMEOUT / 1000} s`;
    const timer = this.context.clock.after(STALL_TIMEOUT, () => this.fail({ refused: false, why }));
    void this.roomAgain(timer);
  }

  private async roomAgain(timer: Timer): Promise<void> {
    while (this.isFull && !this.stream.isEnded)
      await Promise.all([...this.tracks.values()].map((track) => track.room()));
    timer.cancel();
    this.isHeld = false;
    this.stream.resume();
  }

  private get isFull(): boolean {
    return [...this.tracks.values()].some((track) => track.isFull);
  }
}
