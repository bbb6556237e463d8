import type { Frame } from '../../media/frame.js';
import type { MediaInfo } from '../../media/media-info.js';
import type { TagHead } from '../../rtmp/media-tags.js';

/** What fills the gaps of a track (lib/upstream/slate/), as the track sees it. */
export interface TrackSlate {
  /** True while it sends. */
  readonly isActive: boolean;
  /** While it sends: no frame of the sender may have a lower time, ms. */
  readonly floorMs: number | undefined;
  /** The media of the slate while it is the one that is written, if it is other media than that of the sender. */
  readonly shown: { readonly info: MediaInfo; readonly tagHead: TagHead } | undefined;
  /**
   * The next frame is one of the slate, or of the sender. Returns true if its media has to be announced.
   */
  switchTo(slate: boolean): boolean;
  /** A key frame of the sender has arrived. */
  keyFrame(frame: Frame, info: MediaInfo): void;
  /** `frame` of the sender takes over. Slate frames that are not written, and would come after it, are dropped. */
  end(frame: Frame): void;
  /** The track has ended. */
  close(): void;
}
