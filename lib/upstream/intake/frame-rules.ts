import type { MediaSettings } from '../../config/settings.js';
import type { Frame } from '../../media/frame.js';
import type { MediaInfo } from '../../media/media-info.js';
import { checkMediaInfo } from './input-error.js';

/** Why a frame is skipped. Each reason is a counter of the API. */
export type SkipReason = 'no_media_info' | 'empty' | 'no_key';

/**
 * Decides which media infos and frames of a connection are accepted (docs/protocol/kmp.md, Rules of the input, 3 and
 * 4). It is used for inputs of the service and for tracks of a program's own merger.
 */
export class FrameRules {
  /** The last media info of the connection. */
  info: MediaInfo | undefined;
  /** True while video frames are skipped until the next key frame. */
  waitKey = false;

  constructor(private readonly settings: Pick<MediaSettings, 'outEnhanced'>) {}

  /**
   * Takes a media info.
   *
   * @param continues true if the next frames continue a group whose key frame was accepted before
   * @throws InputError if the media cannot be published, or has another type than before
   */
  mediaInfo(info: MediaInfo, continues = false): void {
    checkMediaInfo(info, this.info, this.settings);
    this.info = info;
    if (!continues) this.waitKey = info.mediaType === 'video';
  }

  /** True if every frame that is not empty is accepted. */
  get isOpen(): boolean {
    return this.info !== undefined && !this.waitKey;
  }

  /** Returns why the next frame is skipped, or undefined if it is accepted. */
  skips(frame: Frame): SkipReason | undefined {
    if (this.info === undefined) return 'no_media_info';
    if (frame.size === 0) return 'empty';
    if (!this.waitKey) return undefined;
    if (!frame.isKey) return 'no_key';
    this.waitKey = false;
    return undefined;
  }
}
