import { Backoff } from '../../time/backoff.js';

/** The longest wait between two attempts, ms. */
export const MAX_DELAY = 30_000;

/** A connection that has lasted this long, ms, was a good one: after it, waits begin with the shortest again. */
export const STABLE_AFTER = 60_000;

/** The shortest wait, ms: `kmp_rtmp_out_reconnect_interval 0` must not keep the processor busy. */
const MIN_DELAY = 50;

/**
 * How long to wait after so many failures in sequence: `interval` after the first, then doubling up to {@link
 * MAX_DELAY}, each wait up to a quarter shorter by chance, so that many clients of a server do not return at the same
 * moment.
 *
 * @param failures 1 or more
 * @param interval ms (`kmp_rtmp_out_reconnect_interval`)
 * @param random 0 to 1
 * @returns ms
 */
export function backoffDelay(failures: number, interval: number, random: () => number): number {
  const backoff = new Backoff({ first: Math.max(MIN_DELAY, interval), longest: MAX_DELAY, jitter: 0.25, random });
  backoff.attempts = failures - 1;
  return backoff.next() ?? MAX_DELAY;
}
