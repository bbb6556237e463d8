import { pipeline } from 'node:stream/promises';
import { KmpRtmpError } from '../base/errors.js';
import { KmpDecoder } from '../kmp/decoder.js';
import { openSource } from '../source/open.js';
import type { MediaSource } from '../source/source.js';
import { toKmp } from '../send/to-kmp.js';
import { publishTo, type Publication, type PublishToOptions } from './publish-to.js';

/** Options of {@link publishFile}. */
export interface PublishFileOptions extends PublishToOptions {
  /** 1 for real time (default), 2 for twice as fast, Infinity for as fast as the server takes it. Above 0. */
  readonly speed?: number;
  /** ms from the beginning of the file: tracks start at the last key frame at or before it. Default 0. */
  readonly start?: number;
  /** Publish the other tracks if one of them cannot be sent. Default false: then nothing is published. */
  readonly allowMissingTracks?: boolean;
  /**
   * Called with what is wrong with a file that can be published in part. Default: the promise rejects with
   * `source_damaged` once the part before the damage is published.
   */
  readonly onWarning?: (message: string) => void;
  /** Ends the stream in order once it is aborted. */
  readonly signal?: AbortSignal;
}

/**
 * Publishes a media file (flv, mp4, mov, mkv, webm, ts, KMP dump) to an RTMP server in real time, as a live source
 * would.
 *
 *     await publishFile('movie.mp4', 'rtmp://127.0.0.1/live/name');
 *
 * Resolves when all of it is published, or when `signal` has ended it.
 *
 * @param url as of {@link publishTo}
 * @throws RtmpUrlError; KmpRtmpError as of `openSource`; `source_missing_track` if a track cannot be sent;
 *   `source_damaged`; `publication_failed`, whose message begins with the close reason, if the server could not be
 *   reached, refused, or broke off
 */
export async function publishFile(path: string, url: string, options: PublishFileOptions = {}): Promise<void> {
  const missing: string[] = [];
  const damage: string[] = [];
  const source = await openSource(path, {
    start: options.start ?? 0,
    onMissingTrack: (message) => missing.push(message),
    onWarning: options.onWarning ?? ((message) => damage.push(message)),
  });
  try {
    const publishable = onePerType(source, missing);
    if (missing.length > 0 && options.allowMissingTracks !== true) {
      const advice = 'nothing was published; allowMissingTracks publishes the others';
      throw new KmpRtmpError('source_missing_track', `${missing.join('; ')}; ${advice}`);
    }
    await play(publishable, publishTo(url, options), options);
    if (damage.length > 0) throw new KmpRtmpError('source_damaged', damage.join('; '));
  } finally {
    await source.close();
  }
}

/** A stream has one video and one audio track: the first of each. */
function onePerType(source: MediaSource, missing: string[]): MediaSource {
  const types = new Set<string>();
  const tracks = source.tracks.filter(({ info: { mediaType } }) => {
    const first = !types.has(mediaType);
    if (!first) missing.push(`a further ${mediaType} track cannot be sent: a stream has one`);
    types.add(mediaType);
    return first;
  });
  return { ...source, tracks };
}

async function play(source: MediaSource, publication: Publication, options: PublishFileOptions): Promise<void> {
  const { speed = 1, signal, clock } = options;
  const tracks = toKmp(source, { speed, ...(signal && { signal }), ...(clock && { clock }) });
  try {
    await Promise.all(
      tracks.map((track) => pipeline(track, new KmpDecoder({ connectRequired: false }), publication.input())),
    );
  } catch (error) {
    publication.destroy();
    throw error;
  }
  const { reason, message } = await publication.done;
  if (reason !== 'done') throw new KmpRtmpError('publication_failed', `${reason}: ${message}`);
}
