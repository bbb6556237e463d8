import type { MediaInfo } from '../media/media-info.js';

/** Timescale of all sources except KMP dumps, which keep theirs. */
export const TIMESCALE = 90000;

/** One frame of a track, in decode order. Times are in units of the track's timescale. */
export interface SourceFrame {
  /** Decode time. It goes back only if it does so in the FLV file or KMP dump. */
  readonly dts: number;
  /** pts - dts; negative only if the file is wrong. */
  readonly ptsDelay: number;
  readonly key: boolean;
  /** Length-prefixed NAL units, or one raw audio frame. */
  readonly data: Buffer;
  /** Wall-clock time since 1970 at the source; only KMP dumps carry it. */
  readonly created?: number;
  /** Set when the track's media info changed right before this frame. */
  readonly info?: MediaInfo;
}

/** One video or audio track of a file. */
export interface SourceTrack {
  /** The media info at the beginning, or at the start offset. */
  readonly info: MediaInfo;
  /** The frames from the start offset on. May be called again, for another pass. */
  frames(): AsyncIterable<SourceFrame>;
}

/** The connect packet of a KMP dump. */
export interface DumpConnect {
  readonly channelId: string;
  readonly trackId: string;
  /** Connect data, JSON. */
  readonly data: Buffer;
}

/** A file, opened for sending. */
export interface MediaSource {
  /** The format of the file: `mp4`, `flv`, `kmp` and so on. */
  readonly format: string;
  /** ms from the beginning of the file to its end, if it is known without reading the whole file. */
  readonly duration?: number;
  /** True for KMP dumps: their timestamps are those of a live source and are not changed. */
  readonly absolute: boolean;
  readonly tracks: readonly SourceTrack[];
  /** The connect packet of a KMP dump, if it has one. */
  readonly connect?: DumpConnect;
  /** Closes the file. The iterators of `frames()` must not be used after this. */
  close(): Promise<void>;
}

/** Options of {@link openSource}. */
export interface SourceOptions {
  /** ms from the beginning of the file: tracks start at the last key frame at or before it. Default 0. */
  readonly start?: number;
  /** Called with what is wrong with a file that can be sent nevertheless, for example a missing tail. */
  readonly onWarning?: (message: string) => void;
  /** Called for each video or audio track that cannot be sent, with the reason. Default: `onWarning`. */
  readonly onMissingTrack?: (message: string) => void;
  /**
   * Throw KmpRtmpError `source_damaged` or `source_missing_track` instead of calling the two above: `openSource`, or
   * the iterator of `frames()` where the damage is met. Default false.
   */
  readonly strict?: boolean;
}
