import { createHash } from 'node:crypto';
import type { MediaSettings } from '../../config/settings.js';
import type { Logger } from '../../base/logger.js';
import type { Frame } from '../../media/frame.js';

/** Called for each accepted frame, with its id. */
export type OnFrame = (frame: Frame, id: bigint) => void;

/**
 * Returns a function that logs a line for each frame at level info (`kmp_rtmp_in_log_frames`). The line has id,
 * created, dts and pts_delay in timescale units, flags, size and MD5 of the data. Returns undefined if no line would be
 * written; then nothing is computed.
 *
 * @param mode off; on or all: every frame; key: key frames only
 * @param log called for each frame, because a connection's logger changes once its track is known
 */
export function frameLog(mode: MediaSettings['inLogFrames'], log: () => Logger): OnFrame | undefined {
  if (mode === 'off') return undefined;
  return (frame, id) => {
    if (mode === 'key' && !frame.isKey) return;
    const logger = log();
    if (logger.isEnabled?.('info') === false) return;
    const { created, dts, flags, ptsDelay, size } = frame;
    const md5 = createHash('md5');
    for (const part of frame.parts) md5.update(part);
    logger.info('frame', {
      id: id <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(id) : String(id),
      created,
      dts,
      flags,
      pts_delay: ptsDelay,
      size,
      md5: md5.digest('hex'),
    });
  };
}
