import { Backoff } from '../../time/backoff.js';

/** A connection that has lasted this long, ms, was a good one: after it, waits begin with the shortest again. */
export const STABLE_AFTER = 60_000;

/** The shortest wait, ms: `kmp_rtmp_out_reconnect_interval 0` must not keep the processor busy. */
const MIN_DELAY = 50;

/** Waits between attempts, ms. */
export interface ReconnectWaits {
  /** After the first failure in sequence (`kmp_rtmp_out_reconnect_interval`). */
  readonly first: number;
  /** The longest one (`kmp_rtmp_out_reconnect_max_interval`). */
  readonly longest: number;
}

/** The waits that an upstream asks for. */
export function reconnectWaits(settings: {
  readonly outReconnectInterval: number;
  readonly outReconnectMaxInterval: number;
}): ReconnectWaits {
  return { first: settings.outReconnectInterval, longest: settings.outReconnectMaxInterval };
}

/**
 * How long to wait after so many failures in sequence: `interval` after the first, then doubling up to `longest`, each
 * wait up to a quarter shorter by chance, so that many clients of a server do not return at the same moment.
 *
 * @param failures 1 or more
 * @param interval ms (`kmp_rtmp_out_reconnect_interval`)
 * @param random 0 to 1
 * @param longest ms (`kmp_rtmp_out_reconnect_max_interval`); default 30 s
 * @returns ms
 */
export function backoffDelay(failures: number, interval: number, random: () => number, longest = 30_000): number {
  const [first, most] = [Math.max(MIN_DELAY, interval), Math.max(MIN_DELAY, longest)];
  const backoff = new Backoff({ first, longest: most, jitter: 0.25, random });
  backoff.attempts = failures - 1;
  return backoff.next() ?? most;
}
