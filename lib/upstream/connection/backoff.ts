import { Backoff } from '../../time/backoff.js';

/** The longest wait between two attempts, ms. */
const MAX_DELAY = 30_000;

/** A connection that has held this long, ms, starts over with the shortest wait. */
export const STABLE_AFTER = 60_000;

/** The shortest wait, ms: `kmp_rtmp_out_reconnect_interval 0` must not keep the processor busy. */
const MIN_DELAY = 50;

/**
 * Waits between attempts to connect to a server: doubling from `interval` to 30 s, each up to a quarter shorter by chance.
 *
 * @param interval ms, the first wait
 * @param limit attempts in a row; Infinity: no limit
 */
export function reconnectBackoff(interval: number, limit: number, random?: () => number): Backoff {
  const first = Math.max(MIN_DELAY, interval);
  return new Backoff({ first, longest: MAX_DELAY, limit, jitter: 0.25, ...(random && { random }) });
}
