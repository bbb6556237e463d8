import type { UpstreamStream } from './tracks/stream.js';

/** ms without a frame from a sender that is connected, after which its input counts as stalled. */
const STALLED_AFTER = 10_000;

/** The message of the close reason `input_timeout`. */
export const INPUT_FROZEN = 'the sender was connected but sent nothing for kmp_rtmp_in_read_timeout';

/**
 * ms for which the track that has waited longest has received no frame, although its sender is connected; undefined: no
 * input is stalled.
 *
 * @param now monotonic ms
 */
export function inputStalledFor(streams: Iterable<UpstreamStream>, now: number): number | undefined {
  let longest = 0;
  for (const stream of streams) {
    for (const track of stream.allTracks()) {
      if (track.input === undefined) continue;
      longest = Math.max(longest, now - (track.receivedAt ?? stream.createdAt));
    }
  }
  return longest >= STALLED_AFTER ? longest : undefined;
}
