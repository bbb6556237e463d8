import type { MediaType } from '../../media/codec.js';
import { sameMediaInfo, type MediaInfo } from '../../media/media-info.js';
import { FrameIds } from './frame-ids.js';

/** Bytes of codec private data above which nothing is remembered: it is charged to no one. */
const MAX_REMEMBERED = 4096;

/** What of a track outlives it. */
export interface EndedTrack {
  readonly mediaType: MediaType;
  readonly latestInfo: MediaInfo;
  readonly ids: FrameIds;
  /** True if it ended where a key frame was waited for. */
  readonly keyMissing: boolean;
  /** True if it ended inside a group that was left out. */
  readonly dropping: boolean;
  /** True if its sender said that it was the end. */
  readonly complete: boolean;
}

/**
 * The tracks of a stream that ended because their senders were gone for longer than their frames took to drain. A sender that
 * comes back while the stream lives repeats frames as if its track did (spec/behaviour.md, Taking over): the count goes on, so
 * that what went out is not sent twice, and mid-group is no beginning without its key frame.
 */
export class EndedTracks {
  private readonly left = new Map<MediaType, EndedTrack>();

  /** A track has ended. */
  remember({ mediaType, latestInfo, ids, keyMissing, dropping, complete }: EndedTrack): void {
    if (complete || latestInfo.extraData.length > MAX_REMEMBERED) this.left.delete(mediaType);
    else this.left.set(mediaType, { mediaType, latestInfo, ids, keyMissing, dropping, complete });
  }

  /** What a new track goes on from: the count of the one before it, if it is of the same media; else its own. */
  successor(info: MediaInfo, initialFrameId: bigint): { readonly ids: FrameIds; readonly keyMissing: boolean } {
    const before = this.left.get(info.mediaType);
    this.left.delete(info.mediaType);
    if (before !== undefined && sameMediaInfo(before.latestInfo, info)) {
      return { ids: before.ids, keyMissing: before.keyMissing || before.dropping };
    }
    return { ids: new FrameIds(initialFrameId), keyMissing: false };
  }
}
