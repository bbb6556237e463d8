import type { MediaInfo } from '../../media/media-info.js';

/** Timescale of every source but a KMP dump, which keeps its own. */
export const TIMESCALE = 90000;

/** One frame of a track, in decode order. Times are in units of the track's timescale. */
export interface SourceFrame {
  /** Decode time. Goes back only where an FLV file or a KMP dump does so itself. */
  readonly dts: number;
  /** pts - dts; negative only where the file itself is wrong. */
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
  /** As it is at the beginning (or at the start offset). */
  readonly info: MediaInfo;
  /** The frames from the start offset on. May be called again, for another pass. */
  frames(): AsyncIterable<SourceFrame>;
}

/** What the connect packet of a KMP dump says. */
export interface DumpConnect {
  readonly channelId: string;
  readonly trackId: string;
  /** Connect data, JSON. */
  readonly data: Buffer;
}

/** A file, opened for sending. */
export interface MediaSource {
  /** What the tracks were found in: `mp4`, `flv`, `kmp` ... */
  readonly format: string;
  /** ms from the beginning of the file to its end, where that can be told without reading all of it. */
  readonly duration?: number;
  /** True for KMP dumps: their times are a live source's own and are sent as they are. */
  readonly absolute: boolean;
  readonly tracks: readonly SourceTrack[];
  /** A KMP dump's own connect packet, if it has one. */
  readonly connect?: DumpConnect;
  /** Frees the file. The iterators of `frames()` must not be used any more. */
  close(): Promise<void>;
}

/** How {@link openSource} opens. */
export interface SourceOptions {
  /** ms from the beginning of the file: tracks start at the last key frame at or before it. Default 0. */
  readonly start?: number;
  /** Called with what is wrong with a file that can be sent nevertheless, for example a missing tail. */
  readonly onWarning?: (message: string) => void;
  /** Called for each video or audio track that cannot be sent, with the reason. Default: `onWarning`. */
  readonly onMissingTrack?: (message: string) => void;
  /**
   * Throw KmpRtmpError `source_damaged` or `source_missing_track` instead of calling the two above: `openSource`, or the
   * iterator of `frames()` where the damage is met. Default false.
   */
  readonly strict?: boolean;
}
