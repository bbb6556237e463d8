import type { InputOptions } from './input-options.js';
import type { MediaSettings } from '../../config/settings.js';
import { KmpRtmpError } from '../../base/errors.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import { tooLong } from '../../kmp/name-limits.js';
import { codecName } from '../../media/codec.js';
import type { MediaInfo } from '../../media/media-info.js';
import { MAX_PAYLOAD } from '../../rtmp/chunk/chunk-writer.js';
import { needsEnhanced } from '../../rtmp/enhanced.js';
import { isSupported } from '../../rtmp/media-tags.js';

/**
 * The most pending frames of a track. With more, its connection is closed (docs/protocol/kmp.md, Rules of the input,
 * 7).
 */
export const MAX_PENDING_FRAMES = 16384;

/**
 * The same for media infos. No sender changes its codec that often, and each new media info is compared with the
 * pending ones.
 */
const MAX_PENDING_INFOS = 256;

/** An error of an input. It closes the connection, but has no other effect. */
export class InputError extends KmpRtmpError {}

/** @throws InputError if `size` bytes of data do not fit into an RTMP message */
export function checkSize(packetType: 'fram' | 'minf', size: number): void {
  if (size <= MAX_PAYLOAD) return;
  throw new InputError(
    'kmp_too_large',
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
      'kmp_unsupported_codec',
      `media info: codec_id ${codecId} (${codecName(codecId)}) is not supported for ${mediaType}`,
    );
  }
  if (outEnhanced === 'off' && needsEnhanced(codecId)) {
    throw new InputError(
      'kmp_unsupported_codec',
      `media info: ${codecName(codecId)} needs Enhanced RTMP, which is off (kmp_rtmp_out_enhanced)`,
    );
  }
  if (before !== undefined && before.mediaType !== mediaType) {
    throw new InputError(
      'kmp_media_type_changed',
      `media info: media_type ${mediaType} on a connection that began with ${before.mediaType}`,
    );
  }
  checkSize('minf', extraData.length);
}

/** PROXY protocol, version 1: one line of at most 107 characters. */
const PROXY_HEADER = /^PROXY (TCP[46] [ -~]+|UNKNOWN[ -~]*)\r\n$/;
const PROXY_HEADER_LENGTH = 107;

/** Checks what is to be written before the RTMP handshake (`kmp_rtmp_out_header`). @throws InputError */
export function checkHeader(header: string, { outHeader }: Pick<MediaSettings, 'outHeader'>): void {
  if (header === '' || outHeader === 'on') return;
  if (outHeader === 'proxy' && header.length <= PROXY_HEADER_LENGTH && PROXY_HEADER.test(header)) return;
  const expected = outHeader === 'proxy' ? 'only a header of the PROXY protocol version 1 is' : 'none is';
  throw new InputError('kmp_header_refused', `connect data: header is not allowed, ${expected} (kmp_rtmp_out_header)`);
}

/** Checks the length of ids and names (`kmp_rtmp_in_max_name_length`). @throws InputError */
export function checkNames(data: ConnectData, { inMaxNameLength }: Pick<MediaSettings, 'inMaxNameLength'>): void {
  const problem = tooLong(data, inMaxNameLength);
  if (problem !== undefined) throw new InputError('kmp_name_too_long', `connect data: ${problem}`);
}

/** @throws InputError if `length` frames are too many to be pending on a track */
export function checkPendingFrames(length: number): void {
  if (length <= MAX_PENDING_FRAMES) return;
  throw new InputError('kmp_too_many_frames', `more than ${MAX_PENDING_FRAMES} frames are pending on the track`);
}

/** @throws InputError if `length` media infos are too many to be pending on a track */
export function checkPendingInfos(length: number): void {
  if (length <= MAX_PENDING_INFOS) return;
  throw new InputError(
    'kmp_too_many_media_infos',
    `more than ${MAX_PENDING_INFOS} media infos are pending on the track`,
  );
}

type UnjoinedInput = Pick<InputOptions, 'settings' | 'unjoined'>;

/** @throws InputError if `bytes` are too many for a connection without an upstream, or for all of them together */
export function checkUnjoined(bytes: number, { settings: { inMemLimit }, unjoined }: UnjoinedInput): void {
  if (unjoined?.hold(bytes) === false) {
    throw new InputError(
      'kmp_mem_limit',
      'connections without connect data use too much memory of this process (kmp_rtmp_mem_limit)',
    );
  }
  if (bytes <= inMemLimit) return;
  throw new InputError(
    'kmp_mem_limit',
    `${bytes} bytes received without an upstream, the limit is ${inMemLimit} (kmp_rtmp_in_mem_limit)`,
  );
}
