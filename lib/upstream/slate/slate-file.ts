import { KmpRtmpError, messageOf } from '../../base/errors.js';
import type { MediaType } from '../../media/codec.js';
import type { MediaInfo } from '../../media/media-info.js';
import { TagHead } from '../../rtmp/media-tags.js';
import type { SourceTrack } from '../../source/source.js';

/** The most that a file may hold: bytes of media, and ms. It stays in memory. */
const MAX_BYTES = 32 * 2 ** 20;
const MAX_MS = 10 * 60_000;

/** Bytes of codec private data. Larger ones are not remembered by a stream. */
const MAX_PRIVATE_DATA = 4096;

export interface SlateFileFrame {
  /** From the beginning of the file, ms, with a fraction. */
  readonly ms: number;
  readonly ctsMs: number;
  readonly isKey: boolean;
  readonly data: Buffer;
}

export interface SlateFileTrack {
  readonly info: MediaInfo;
  readonly tagHead: TagHead;
  readonly frames: readonly SlateFileFrame[];
}

/** A short file that is played in a loop. */
export interface SlateFile {
  readonly path: string;
  readonly durationMs: number;
  readonly tracks: Readonly<Partial<Record<MediaType, SlateFileTrack>>>;
}

/**
 * Reads the first video and the first audio track of a media file, as a whole.
 *
 * @throws KmpRtmpError `slate_file`, or `source_...` (lib/source/open.ts), if it cannot be played: missing, damaged,
 *   too large, without a key frame first
 */
export async function readSlateFile(path: string): Promise<SlateFile> {
  // Loaded when it is needed: the reader of containers is large.
  const { openSource } = await import('../../source/open.js');
  const source = await openSource(path, { strict: true });
  try {
    if (source.absolute) throw refused(path, 'it is a KMP dump; expected a media file, such as .mp4 or .flv');
    const read = new Map<MediaType, { track: SourceTrack; frames: SlateFileFrame[] }>();
    let left = MAX_BYTES;
    for (const track of source.tracks) {
      const { mediaType } = track.info;
      if (read.has(mediaType)) continue;
      const frames = await framesOf(track, path, left);
      left -= frames.reduce((sum, { data }) => sum + data.length, 0);
      read.set(mediaType, { track, frames });
    }
    return fileOf(path, read);
  } catch (error) {
    throw error instanceof KmpRtmpError ? error : refused(path, messageOf(error), error);
  } finally {
    await source.close();
  }
}

async function framesOf({ info, frames }: SourceTrack, path: string, most: number): Promise<SlateFileFrame[]> {
  if (info.extraData.length > MAX_PRIVATE_DATA) throw refused(path, 'its codec private data is too large');
  const all: SlateFileFrame[] = [];
  let bytes = 0;
  const toMs = (units: number): number => (units * 1000) / info.timescale;
  for await (const frame of frames()) {
    if (frame.info !== undefined) throw refused(path, 'its media changes on the way');
    bytes += frame.data.length;
    const ms = toMs(frame.dts);
    if (bytes > most) throw refused(path, `it has more than ${MAX_BYTES} bytes of media`);
    if (ms - (all[0]?.ms ?? ms) > MAX_MS) throw refused(path, `it is longer than ${MAX_MS / 60_000} minutes`);
    if (ms <= (all.at(-1)?.ms ?? -Infinity)) throw refused(path, 'its timestamps go back');
    // A copy, because a slice would keep the block that was read.
    all.push({ ms, ctsMs: toMs(frame.ptsDelay), isKey: frame.key, data: Buffer.from(frame.data) });
  }
  if (all.length < 2) throw refused(path, `its ${info.mediaType} has fewer than two frames`);
  if (all[0]?.isKey !== true) throw refused(path, 'its video does not begin with a key frame');
  return all;
}

function fileOf(
  path: string,
  read: ReadonlyMap<MediaType, { track: SourceTrack; frames: SlateFileFrame[] }>,
): SlateFile {
  const begin = Math.min(...[...read.values()].map(({ frames }) => frames[0]?.ms ?? 0));
  const tracks: Partial<Record<MediaType, SlateFileTrack>> = {};
  let durationMs = 0;
  for (const [mediaType, { track, frames }] of read) {
    const { info } = track;
    const first = frames[0]?.ms ?? 0;
    const last = frames.at(-1)?.ms ?? 0;
    // The last frame lasts as long as the others on average.
    durationMs = Math.max(durationMs, last - begin + (last - first) / (frames.length - 1));
    const moved = frames.map((frame) => ({ ...frame, ms: frame.ms - begin }));
    tracks[mediaType] = { info, tagHead: new TagHead(info), frames: moved };
  }
  return { path, durationMs, tracks };
}

function refused(path: string, why: string, cause?: unknown): KmpRtmpError {
  return new KmpRtmpError('slate_file', `${path} cannot be a slate: ${why}`, { cause });
}
