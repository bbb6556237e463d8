import type { Logger } from '../../base/logger.js';
import type { MediaSettings } from '../../config/settings.js';
import { sameMediaInfo, type MediaInfo } from '../../media/media-info.js';
import { toMs } from '../../media/timescale.js';
import type { Track } from '../tracks/track.js';
import type { Upstream } from '../upstream.js';
import type { FrameRules } from './frame-rules.js';
import type { InputCounters } from './input-counters.js';

/** The track that an input takes over, and what it needs for that. */
export interface TakeOver {
  readonly track: Track;
  readonly upstream: Pick<Upstream, 'clear'>;
  readonly rules: FrameRules;
  readonly settings: Pick<MediaSettings, 'inMaxSkipFrames'>;
  readonly log: Logger;
}

/**
 * Continues the frame count of a track that had another input before (docs/protocol/behaviour.md, Taking over), or
 * begins a new one.
 *
 * @param info the first media info of the new input
 * @returns the number of frames that it repeats
 */
export function takeOver(
  { track, upstream, rules, settings, log }: TakeOver,
  initialFrameId: bigint,
  info: MediaInfo,
): number {
  const expected = track.ids.expected;
  const found = track.ids.takeOver(initialFrameId, settings.inMaxSkipFrames);
  if (found.kind === 'continue' || found.kind === 'repeat') {
    // The track continues in the middle of a group, if there is a group of the same media.
    const changed = found.kind === 'continue' && !sameMediaInfo(info, track.latestInfo);
    rules.waitKey = info.mediaType === 'video' && (track.keyMissing || changed);
    const known = found.kind === 'repeat' ? found.skip : 0;
    log.info(`takes over at frame ${initialFrameId}, ${known} of them known`);
    return known;
  }
  rules.waitKey = info.mediaType === 'video';
  if (track.gap !== undefined) track.gap.continues = false;
  if (found.kind === 'gap') {
    const lost = `${found.lost} frames are lost: the sender of this ${info.mediaType} track left them out`;
    log.warn(`takes over at frame ${initialFrameId} where ${expected} was expected: ${lost}`);
    return 0;
  }
  log.warn(`restarts at frame ${initialFrameId}: ${track.length} pending frames are dropped`);
  upstream.clear(track);
  return 0;
}

/** An input leaves its track: another one may take it over. */
export function handOver(track: Track, rules: FrameRules, counters: InputCounters): void {
  track.memory.setPartial(0);
  track.source = undefined;
  track.keyMissing = rules.waitKey;
  const { timescale } = rules.info ?? track.latestInfo;
  if (counters.frames > 0) track.sourceLag = toMs(counters.lastCreated, timescale) - track.lastMs;
}
