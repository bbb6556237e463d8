import type { MediaSettings } from '../../config/settings.js';
import type { Frame } from '../../media/frame.js';
import type { MediaInfo } from '../../media/media-info.js';
import { checkMediaInfo } from './input-error.js';

/** Why a frame is skipped; each is a counter of the API. */
export type SkipReason = 'no_media_info' | 'empty' | 'no_key';

/**
 * Which media infos and frames of one connection are taken (docs/protocol/kmp.md, Rules of the input, 3 and 4). The same for
 * inputs of the service and for tracks of a program's own merger.
 */
export class FrameRules {
  /** The last media info of the connection. */
  info: MediaInfo | undefined;
  /** True while video frames are skipped up to the next key frame. */
  waitKey = false;

  constructor(private readonly settings: Pick<MediaSettings, 'outEnhanced'>) {}

  /**
   * Takes a media info.
   *
   * @param continues true if the frames behind it continue a group whose key frame was taken before
   * @throws InputError if the media cannot be published, or is of another type than before
   */
  mediaInfo(info: MediaInfo, continues = false): void {
    checkMediaInfo(info, this.info, this.settings);
    this.info = info;
    if (!continues) this.waitKey = info.mediaType === 'video';
  }

  /** Why the next frame is skipped; undefined if it is taken. */
  skips(frame: Frame): SkipReason | undefined {
    if (this.info === undefined) return 'no_media_info';
    if (frame.size === 0) return 'empty';
    if (!this.waitKey) return undefined;
    if (!frame.isKey) return 'no_key';
    this.waitKey = false;
    return undefined;
  }
}
