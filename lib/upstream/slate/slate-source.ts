import type { AudioInfo, MediaInfo } from '../../media/media-info.js';
import { silentFrame } from '../../media/silence.js';
import type { TagHead } from '../../rtmp/media-tags.js';
import type { SlateFileTrack } from './slate-file.js';

/** One frame of a slate. */
export interface SlatePart {
  readonly data: Buffer;
  readonly isKey: boolean;
  /** pts - dts, ms. */
  readonly ctsMs: number;
  /** Time until the next frame, ms; may have a fraction. */
  readonly durationMs: number;
}

/** What a slate sends on one track. */
export interface SlateSource {
  /** Its media, if it is not that of the sender. */
  readonly shown: { readonly info: MediaInfo; readonly tagHead: TagHead } | undefined;
  /** The time of the first frame after `lastMs`, ms. */
  begin(lastMs: number): number;
  /** The next frame; undefined if there is none any more. */
  next(): SlatePart | undefined;
}

/**
 * ms between two pictures of a frozen track. Players begin at one of them, and platforms expect a key frame every two
 * seconds.
 */
const FREEZE_INTERVAL = 1_000;

/** A key frame that is repeated. */
export interface FrozenPicture {
  readonly data: Buffer;
  readonly ctsMs: number;
}

/** Repeats the last key frame. @param picture returns undefined if there is none that can be decoded */
export function frozenVideo(picture: () => FrozenPicture | undefined): SlateSource {
  return {
    shown: undefined,
    begin: (lastMs) => lastMs + FREEZE_INTERVAL,
    next() {
      const frozen = picture();
      return frozen && { ...frozen, isKey: true, durationMs: FREEZE_INTERVAL };
    },
  };
}

/** Silence in the codec of a track; undefined if there is none, and the track pauses. */
export function silentAudio(info: AudioInfo): SlateSource | undefined {
  const silent = silentFrame(info);
  if (silent === undefined) return undefined;
  const durationMs = (silent.samples * 1000) / silent.sampleRate;
  const part = { data: silent.data, isKey: true, ctsMs: 0, durationMs };
  return { shown: undefined, begin: (lastMs) => lastMs + durationMs, next: () => part };
}

/**
 * Plays a track of a file in a loop.
 *
 * @param beginMs time of the beginning of the file, ms
 */
export function playedFile(
  { info, tagHead, frames }: SlateFileTrack,
  durationMs: number,
  beginMs: number,
): SlateSource {
  let loop = 0;
  let at = 0;
  const timeOf = (index: number): number =>
    index < frames.length
      ? beginMs + loop * durationMs + (frames[index]?.ms ?? 0)
      : beginMs + (loop + 1) * durationMs + (frames[0]?.ms ?? 0);
  return {
    shown: { info, tagHead },
    begin(lastMs) {
      loop = Math.max(0, Math.floor((lastMs - beginMs) / durationMs));
      at = frames.findIndex((frame, index) => timeOf(index) > lastMs && frame.isKey);
      if (at < 0) {
        loop++;
        at = 0;
      }
      return timeOf(at);
    },
    next() {
      const frame = frames[at];
      if (frame === undefined) return undefined;
      const part = { ...frame, durationMs: timeOf(at + 1) - timeOf(at) };
      at++;
      if (at === frames.length) {
        loop++;
        at = 0;
      }
      return part;
    },
  };
}
