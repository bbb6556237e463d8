import type { Clock } from './clock.js';
import { TurnLoad } from './turn-load.js';
import type { PeriodBounds } from './turn-pace.js';
import type { TurnClock } from './turn-clock.js';
import { TurnScheduler } from './turn-scheduler.js';

/** Longest time between two turns of an upstream's merger, ms (docs/performance.md). */
const LONGEST_PERIOD = 230;

/** The time between two turns, and between two reads of a socket, as shares of the least time that a frame waits. */
const PERIOD_SHARE = 0.46;
const READ_SHARE = 0.8;

/** Below this period, ms, turns save nothing. */
const SHORTEST_PERIOD = 8;

/** When the sockets of an upstream are read and its frames merged. */
export interface TurnSchedule {
  /** The clock of the upstream's merger and acks. */
  readonly clock: Clock;
  /** The clock at whose turns the upstream's sockets are read. undefined: they are read as soon as bytes arrive. */
  readonly reading: TurnClock | undefined;
  /** The number of turns per read of a socket; 1 or more. */
  readonly turnsPerRead: number;
  /**
   * ms for which encoded bytes may wait for more. 0 if there are turns: each turn writes all that it has encoded,
   * because the next one brings the next batch in any case.
   */
  readonly flushTimeout: number;
}

/** `kmp_rtmp_in_read_interval`: one time, or the bounds within which the interval adapts to the load; ms. */
export type ReadInterval = number | { readonly shortest: number; readonly longest: number };

/** The longest time between two reads, ms; 0: data is read as soon as it arrives. */
export function longestInterval(interval: ReadInterval): number {
  return typeof interval === 'number' ? interval : interval.longest;
}

/** The directives that decide the schedule; all times in ms. */
export interface TurnScheduleSettings {
  /** `kmp_rtmp_in_read_interval` */
  readonly inReadInterval: ReadInterval;
  /** `kmp_rtmp_out_min_process_delay` */
  readonly outMinProcessDelay: number;
  /** `kmp_rtmp_out_flush_timeout` */
  readonly outFlushTimeout: number;
  /** `kmp_rtmp_out_early_release` */
  readonly outEarlyRelease: boolean;
}

/** The schedulers of a process: one for each pair of bounds, whose upstreams share its timer. */
interface Schedulers {
  readonly load: TurnLoad;
  readonly byBounds: Map<string, TurnScheduler>;
}

const schedulers = new WeakMap<Clock, Schedulers>();

function schedulerOf(clock: Clock, bounds: PeriodBounds): TurnScheduler {
  const all = schedulers.get(clock) ?? { load: new TurnLoad(clock), byBounds: new Map<string, TurnScheduler>() };
  schedulers.set(clock, all);
  const key = `${bounds.shortest}-${bounds.longest}`;
  const scheduler = all.byBounds.get(key) ?? new TurnScheduler(clock, bounds, all.load);
  all.byBounds.set(key, scheduler);
  return scheduler;
}

/** What the turns of a clock cost at present. */
export interface TurnReport {
  /** ms between two turns: the longest, if upstreams have different settings. undefined: no socket is read in turns. */
  readonly period: number | undefined;
  /** The share of the time that turns take, 0 to 1, over some seconds. */
  readonly load: number;
}

export function turnReport(clock: Clock): TurnReport {
  const all = schedulers.get(clock);
  const reading = [...(all?.byBounds.values() ?? [])].filter((scheduler) => scheduler.isReading);
  if (all === undefined || reading.length === 0) return { period: undefined, load: 0 };
  return { period: Math.max(...reading.map(({ period }) => period)), load: all.load.share };
}

/**
 * The schedule of a new upstream. Frames wait at least `kmp_rtmp_out_min_process_delay`, so tracks can be read and
 * merged in turns within that time. All tracks of an upstream use the same turns. A shorter delay means more frequent
 * turns, and so does a low load, within the bounds of `kmp_rtmp_in_read_interval`. An upstream has no turns if its
 * settings ask for the least delay: early release, a flush without waiting, or almost no process delay.
 *
 * @param clock the clock that the turns follow
 */
export function turnScheduleOf(settings: TurnScheduleSettings, clock: Clock): TurnSchedule {
  const { inReadInterval, outMinProcessDelay, outFlushTimeout, outEarlyRelease } = settings;
  const readInterval = longestInterval(inReadInterval);
  const most = Math.min(LONGEST_PERIOD, Math.floor(outMinProcessDelay * PERIOD_SHARE));
  const longest = readInterval > 0 ? Math.min(most, readInterval) : most;
  if (outEarlyRelease || outFlushTimeout === 0 || longest < SHORTEST_PERIOD) {
    return { clock, reading: undefined, turnsPerRead: 1, flushTimeout: outFlushTimeout };
  }
  const interval = Math.min(readInterval, outMinProcessDelay * READ_SHARE);
  const turnsPerRead = Math.max(1, Math.floor(interval / longest));
  const least = typeof inReadInterval === 'number' ? longest : inReadInterval.shortest / turnsPerRead;
  const shortest = Math.min(longest, Math.max(SHORTEST_PERIOD, least));
  const turns = schedulerOf(clock, { shortest, longest }).nextPhase();
  return { clock: turns, reading: readInterval > 0 ? turns : undefined, turnsPerRead, flushTimeout: 0 };
}
