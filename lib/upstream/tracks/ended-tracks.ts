import type { MediaType } from '../../media/codec.js';
import { sameMediaInfo, type MediaInfo } from '../../media/media-info.js';
import { FrameIds } from './frame-ids.js';
import type { Track } from './track.js';

/**
 * The most bytes of codec private data that are remembered for an ended track. They are not charged to any upstream.
 */
const MAX_REMEMBERED = 4096;

/** The facts about an ended track that are still needed. */
export interface EndedTrack {
  readonly mediaType: MediaType;
  readonly latestInfo: MediaInfo;
  readonly ids: FrameIds;
  /** True if it ended while it waited for a key frame. */
  readonly keyMissing: boolean;
  /** Defined if it ended inside a group that was dropped. */
  readonly dropping: Track['dropping'];
  /** True if its sender announced the end. */
  readonly complete: boolean;
}

/**
 * The ended tracks of a stream whose senders stayed away until all frames were written. If a sender reconnects while
 * the stream exists, the new track continues the frame count of the old one (docs/protocol/behaviour.md, Taking over).
 * So frames that were written are not sent twice. Decoding cannot start in the middle of a group of pictures without
 * its key frame.
 */
export class EndedTracks {
  private readonly left = new Map<MediaType, EndedTrack>();

  /** A track has ended. */
  remember({ mediaType, latestInfo, ids, keyMissing, dropping, complete }: EndedTrack): void {
    if (complete || latestInfo.extraData.length > MAX_REMEMBERED) this.left.delete(mediaType);
    else this.left.set(mediaType, { mediaType, latestInfo, ids, keyMissing, dropping, complete });
  }

  /**
   * The state that a new track starts with: the frame count of the track before it, if that has the same media;
   * otherwise a new count.
   */
  successor(info: MediaInfo, initialFrameId: bigint): { readonly ids: FrameIds; readonly keyMissing: boolean } {
    const before = this.left.get(info.mediaType);
    this.left.delete(info.mediaType);
    if (before !== undefined && sameMediaInfo(before.latestInfo, info)) {
      return { ids: before.ids, keyMissing: before.keyMissing || before.dropping !== undefined };
    }
    return { ids: new FrameIds(initialFrameId), keyMissing: false };
  }
}
