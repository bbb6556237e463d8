import type { Clock } from './clock.js';
import { TurnScheduler, type TurnClock } from './turn-scheduler.js';

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

/** The directives that decide the schedule; all times in ms. */
export interface TurnScheduleSettings {
  /** `kmp_rtmp_in_read_interval` */
  readonly inReadInterval: number;
  /** `kmp_rtmp_out_min_process_delay` */
  readonly outMinProcessDelay: number;
  /** `kmp_rtmp_out_flush_timeout` */
  readonly outFlushTimeout: number;
  /** `kmp_rtmp_out_early_release` */
  readonly outEarlyRelease: boolean;
}

/** One scheduler for each clock and period: the upstreams of a process share its timer. */
const schedulers = new WeakMap<Clock, Map<number, TurnScheduler>>();

function schedulerOf(clock: Clock, period: number): TurnScheduler {
  const byPeriod = schedulers.get(clock) ?? new Map<number, TurnScheduler>();
  schedulers.set(clock, byPeriod);
  const scheduler = byPeriod.get(period) ?? new TurnScheduler(clock, period);
  byPeriod.set(period, scheduler);
  return scheduler;
}

/**
 * The schedule of a new upstream. Frames wait at least `kmp_rtmp_out_min_process_delay`, so tracks can be read and
 * merged in turns within that time. All tracks of an upstream use the same turns. A shorter delay means more frequent
 * turns. An upstream has no turns if its settings ask for the least delay: early release, a flush without waiting, or
 * almost no process delay.
 *
 * @param clock the clock that the turns follow
 */
export function turnScheduleOf(settings: TurnScheduleSettings, clock: Clock): TurnSchedule {
  const { inReadInterval, outMinProcessDelay, outFlushTimeout, outEarlyRelease } = settings;
  const longest = Math.min(LONGEST_PERIOD, Math.floor(outMinProcessDelay * PERIOD_SHARE));
  const period = inReadInterval > 0 ? Math.min(longest, inReadInterval) : longest;
  if (outEarlyRelease || outFlushTimeout === 0 || period < SHORTEST_PERIOD) {
    return { clock, reading: undefined, turnsPerRead: 1, flushTimeout: outFlushTimeout };
  }
  const turns = schedulerOf(clock, period).nextPhase();
  const interval = Math.min(inReadInterval, outMinProcessDelay * READ_SHARE);
  return {
    clock: turns,
    reading: inReadInterval > 0 ? turns : undefined,
    turnsPerRead: Math.max(1, Math.floor(interval / period)),
    flushTimeout: 0,
  };
}
