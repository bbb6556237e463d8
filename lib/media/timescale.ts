/**
 * Converts timescale units to ms: `(t * 1000 + timescale / 2) / timescale` in integer arithmetic
 * (docs/protocol/rtmp.md, Timestamps). The computation is split, so that it is exact beyond 2^53 / 1000 without
 * BigInt.
 *
 * @param t time in timescale units
 * @param timescale units per second, an integer above 0
 */
export function toMs(t: number, timescale: number): number {
  const seconds = Math.floor(t / timescale);
  const rest = t - seconds * timescale;
  return seconds * 1000 + Math.floor((rest * 1000 + Math.floor(timescale / 2)) / timescale);
}
