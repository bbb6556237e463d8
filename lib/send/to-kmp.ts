import { systemClock, type Clock } from '../time/clock.js';
import { Readable } from '../base/streams.js';
import { writeEnd, writeFrame, writeMediaInfo } from '../kmp/writer.js';
import { KEY_FRAME } from '../media/frame.js';
import type { MediaSource, SourceFrame, SourceTrack } from '../source/source.js';
import { waitUntil } from './wait-until.js';

/** Options of {@link toKmp}. */
export interface ToKmpOptions {
  /** 1 for real time, 2 for twice as fast, Infinity (default) for as fast as the packets are read. Above 0. */
  readonly speed?: number;
  /** Ends all tracks in order once it is aborted: each with an end-of-stream packet. */
  readonly signal?: AbortSignal;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** What the streams of one source share. */
interface Beginning {
  /** dts of the earliest frame of all tracks, ms. */
  readonly firstMs: number;
  /** Monotonic and wall-clock ms at which that frame is due. */
  readonly at: number;
  readonly wall: number;
}

/**
 * Turns each track of a source into a stream of KMP packets: media info, frames, end of stream; no connect packet. Pipe
 * them into files (dumps), or through a `KmpDecoder` into a publication:
 *
 *     const source = await openSource('movie.mp4');
 *     const tracks = toKmp(source, { speed: 1 });
 *     await Promise.all(
 *       tracks.map((track) => pipeline(track, new KmpDecoder({ dump: true }), publication.input())),
 *     );
 *
 * All streams are on one clock, which starts when the first of them is read. Times are moved so that the earliest frame
 * has dts 0; those of a KMP dump stay as they are. An error of the file destroys the stream that meets it.
 *
 * @returns one stream for each of `source.tracks`, in their order
 */
export function toKmp(source: MediaSource, options: ToKmpOptions = {}): Readable[] {
  const { clock = systemClock } = options;
  let beginning: Promise<Beginning> | undefined;
  const begin = (): Promise<Beginning> => (beginning ??= findBeginning(source.tracks, clock));
  return source.tracks.map((track) => {
    const closed = new AbortController();
    const packets = packetsOf(track, source.absolute, begin, { ...options, clock, closed: closed.signal });
    const stream = Readable.from(packets, { objectMode: false });
    // A wait for the next frame must not outlive the stream.
    stream.once('close', () => closed.abort());
    if (options.signal?.aborted === true) closed.abort();
    options.signal?.addEventListener('abort', () => closed.abort(), { once: true });
    return stream;
  });
}

async function findBeginning(tracks: readonly SourceTrack[], clock: Clock): Promise<Beginning> {
  const firsts = await Promise.all(tracks.map(firstMsOf));
  const firstMs = Math.min(...firsts);
  return { firstMs: Number.isFinite(firstMs) ? firstMs : 0, at: clock.now(), wall: clock.wall() };
}

async function firstMsOf(track: SourceTrack): Promise<number> {
  for await (const { dts } of track.frames()) return (dts * 1000) / track.info.timescale;
  return Infinity;
}

async function* packetsOf(
  track: SourceTrack,
  absolute: boolean,
  begin: () => Promise<Beginning>,
  { clock, closed, speed = Infinity }: ToKmpOptions & { readonly clock: Clock; readonly closed: AbortSignal },
): AsyncGenerator<Buffer> {
  const { timescale } = track.info;
  const { firstMs, at, wall } = await begin();
  const shift = absolute ? 0 : -Math.round((firstMs * timescale) / 1000);
  yield writeMediaInfo(track.info);
  for await (const frame of track.frames()) {
    const ms = (frame.dts * 1000) / timescale - firstMs;
    if (speed !== Infinity) await waitUntil(clock, at + ms / speed, closed);
    if (closed.aborted) break;
    if (frame.info !== undefined) yield writeMediaInfo(frame.info);
    yield framePacket(frame, shift, Math.round((wall * timescale) / 1000));
  }
  yield writeEnd();
}

/** @param created of the frame whose dts is 0, for frames that do not give their time of creation */
function framePacket({ created, dts, ptsDelay, key, data }: SourceFrame, shift: number, zero: number): Buffer {
  const fields = { dts: dts + shift, ptsDelay, flags: key ? KEY_FRAME : 0, size: data.length };
  return writeFrame({ created: created ?? zero + fields.dts, ...fields }, data);
}
