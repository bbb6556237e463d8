import type { MediaSettings } from '../../config/settings.js';
import { KmpRtmpError } from '../../base/errors.js';
import { codecName } from '../../media/codec.js';
import type { MediaInfo } from '../../media/media-info.js';
import { MAX_PAYLOAD } from '../../rtmp/chunk/chunk-writer.js';
import { needsEnhanced } from '../../rtmp/enhanced.js';
import { isSupported } from '../../rtmp/media-tags.js';

/** An error of an input. It closes the connection, but has no other effect. */
export class InputError extends KmpRtmpError {}

/** @throws InputError if `size` bytes of data do not fit into an RTMP message */
export function checkSize(packetType: 'fram' | 'minf', size: number): void {
  if (size <= MAX_PAYLOAD) return;
  throw new InputError(
    'KMP_TOO_LARGE',
    `${packetType}: data_size ${size} is more than RTMP can carry (${MAX_PAYLOAD})`,
  );
}

/**
 * Checks the rules for a media info (docs/protocol/kmp.md, Rules of the input, 3).
 *
 * @param before the connection's last one
 * @throws InputError
 */
export function checkMediaInfo(
  info: MediaInfo,
  before: MediaInfo | undefined,
  { outEnhanced }: Pick<MediaSettings, 'outEnhanced'>,
): void {
  const { mediaType, codecId, extraData } = info;
  if (!isSupported(mediaType, codecId)) {
    throw new InputError(
      'KMP_UNSUPPORTED_CODEC',
      `media info: codec_id ${codecId} (${codecName(codecId)}) is not supported for ${mediaType}`,
    );
  }
  if (outEnhanced === 'off' && needsEnhanced(codecId)) {
    throw new InputError(
      'KMP_UNSUPPORTED_CODEC',
      `media info: ${codecName(codecId)} needs Enhanced RTMP, which is off (kmp_rtmp_out_enhanced)`,
    );
  }
  if (before !== undefined && before.mediaType !== mediaType) {
    throw new InputError(
      'KMP_MEDIA_TYPE_CHANGED',
      `media info: media_type ${mediaType} on a connection that began with ${before.mediaType}`,
    );
  }
  checkSize('minf', extraData.length);
}
