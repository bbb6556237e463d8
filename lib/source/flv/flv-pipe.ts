import { KmpRtmpError } from '../../base/errors.js';
import type { MediaType } from '../../media/codec.js';
import { heldBytes } from '../../media/held-bytes.js';
import type { MediaInfo } from '../../media/media-info.js';
import { Continuity } from '../continuity.js';
import type { PipeReader } from '../pipe-reader.js';
import { TIMESCALE, type MediaSource, type SourceFrame, type SourceOptions } from '../source.js';
import { NO_RATES, readRates } from './flv-metadata.js';
import { pipeTags, Tag, type FlvTag } from './flv-tags.js';
import { FlvTrackParser } from './flv-track.js';

const PER_MS = TIMESCALE / 1000;
/** The beginning of the pipe in which all tracks must appear: ms of media, and bytes. */
const PROBE_TIME = 5000;
const PROBE_BYTES = 16 * 1024 * 1024;
/** Bytes held in frames that wait for a frame of the other track; beyond it, the other track is taken for ended. */
const MAX_WAITING = 32 * 1024 * 1024;

/** One track, and its frames that were read and not yet asked for. */
class PipeTrack {
  readonly parser: FlvTrackParser;
  readonly continuous: (time: number) => number;
  first: MediaInfo | undefined;
  /** A changed media info, for the next frame. */
  changed: MediaInfo | undefined;
  frames: SourceFrame[] = [];
  bytes = 0;
  /** Its frames are not wanted any more. */
  ended = false;

  constructor(
    readonly type: MediaType,
    continuity: Continuity,
  ) {
    this.parser = new FlvTrackParser(type);
    this.continuous = continuity.track();
  }

  /** Ends the track: later frames would wait for nobody, and end the other track when there are too many. */
  end(): void {
    this.ended = true;
    this.frames = [];
    this.bytes = 0;
  }
}

/** Reads an FLV stream of unknown length, and gives each of its tracks its frames. */
class FlvPipe {
  private readonly continuity = new Continuity();
  readonly tracks = [new PipeTrack('video', this.continuity), new PipeTrack('audio', this.continuity)] as const;
  private readonly tags: AsyncGenerator<FlvTag>;
  private rates = NO_RATES;
  private ended = false;
  private reading: Promise<void> | undefined;

  constructor(
    reader: PipeReader,
    private readonly warn: (what: string) => void,
    private readonly missing: (what: string) => void,
  ) {
    this.tags = pipeTags(reader, warn);
  }

  /** Reads until a frame of each track was found, or the beginning is over. @param expected bits of the file header */
  async probe(expected: number): Promise<void> {
    const [video, audio] = this.tracks;
    const complete = (): boolean =>
      ((expected & 1) === 0 || video.frames.length > 0) && ((expected & 4) === 0 || audio.frames.length > 0);
    const inProbe = (): boolean => {
      const longest = Math.max(...this.tracks.map(({ frames }) => (frames.at(-1)?.dts ?? 0) - (frames[0]?.dts ?? 0)));
      return longest <= PROBE_TIME * PER_MS && video.bytes + audio.bytes <= PROBE_BYTES;
    };
    do await this.read();
    while (!this.ended && (!complete() || (expected & 5) === 0) && inProbe());
  }

  async *frames(track: PipeTrack): AsyncGenerator<SourceFrame> {
    try {
      for (;;) {
        const frame = track.frames.shift();
        if (frame !== undefined) {
          track.bytes -= heldBytes(frame);
          yield frame;
        } else if (this.ended) return;
        else if (this.tracks.some((other) => other.bytes > MAX_WAITING)) {
          this.warn(`brings no more ${track.type}: this track ends`);
          return;
        } else await this.read();
      }
    } finally {
      track.end();
    }
  }

  /** Reads one tag. Two tracks that ask at the same time wait for the same one. */
  private read(): Promise<void> {
    this.reading ??= this.readTag().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readTag(): Promise<void> {
    const { done, value } = await this.tags.next();
    if (done === true) {
      this.ended = true;
      return;
    }
    if (value.type === Tag.SCRIPT) this.rates = readRates(value.body) ?? this.rates;
    else this.take(value.type === Tag.VIDEO ? this.tracks[0] : this.tracks[1], value);
  }

  private take(track: PipeTrack, { time, body }: FlvTag): void {
    if (track.ended) return;
    const media = track.parser.take(body, this.rates);
    if (media.kind === 'unsupported') this.missing(`has ${media.what}, which is left out`);
    if (media.kind === 'info') track.changed = media.info;
    if (media.kind !== 'frame') return;
    const { info, key, cts, data } = media;
    if (track.first === undefined) {
      track.first = info;
      track.changed = undefined;
    }
    const changed = track.changed === undefined ? {} : { info: track.changed };
    track.changed = undefined;
    const dts = track.continuous(time * PER_MS);
    const frame = { dts, ptsDelay: cts * PER_MS, key, data, ...changed };
    track.frames.push(frame);
    track.bytes += heldBytes(frame);
  }
}

/**
 * Opens an FLV stream that comes through a pipe.
 *
 * @throws KmpRtmpError `source_no_tracks` if its beginning contains nothing that can be sent
 */
export async function openFlvPipe(reader: PipeReader, name: string, options: SourceOptions): Promise<MediaSource> {
  const reported = new Set<string>();
  const once = (report: ((message: string) => void) | undefined) => (what: string) => {
    if (!reported.has(what)) report?.(`${name} ${what}`);
    reported.add(what);
  };
  const head = await reader.peek(5);
  const pipe = new FlvPipe(reader, once(options.onWarning), once(options.onMissingTrack ?? options.onWarning));
  await pipe.probe(head[4] ?? 0);
  const tracks = pipe.tracks.flatMap((track) => {
    const { first } = track;
    return first === undefined ? [] : [{ info: first, frames: () => pipe.frames(track) }];
  });
  if (tracks.length === 0)
    throw new KmpRtmpError('source_no_tracks', `${name} has no video or audio that KMP can carry`);
  return { format: 'FLV', absolute: false, tracks, close: () => Promise.resolve(reader.close()) };
}
