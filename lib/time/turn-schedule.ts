import { TurnScheduler, type TurnClock } from './turn-scheduler.js';
import { systemClock, type Clock } from './clock.js';

/** Longest time between two turns of an upstream's merger, ms (docs/performance.md). */
const LONGEST_PERIOD = 230;

/** Of the time that a frame waits at least, what may pass between two turns, and between two reads of a socket. */
const PERIOD_SHARE = 0.46;
const READ_SHARE = 0.8;

/** Turns more frequent than this save nothing, ms. */
const SHORTEST_PERIOD = 8;

/** When an upstream's sockets are read, and its frames merged. */
export interface TurnSchedule {
  /** What its merger and its acks wait by. */
  readonly clock: Clock;
  /** Its sockets are read at the turns of this beat; undefined: whenever something has come. */
  readonly reading: TurnClock | undefined;
  /** At how many turns of it they are read once. */
  readonly every: number;
  /** ms that a flush may come too early, to be at the turn nearest to its time: by the next one it would be later still. */
  readonly early: number;
}

/** The directives that decide it; all times in ms. */
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

const schedulers = new Map<number, TurnScheduler>();

function schedulerOf(period: number): TurnScheduler {
  let found = schedulers.get(period);
  if (found === undefined) {
    found = new TurnScheduler(systemClock, period);
    schedulers.set(period, found);
  }
  return found;
}

/**
 * The pace of a new upstream. Frames wait `kmp_rtmp_out_min_process_delay` anyway: within that time, tracks are read and merged
 * in turns, all of an upstream in one. The shorter that delay, the more often; who wants every ms (early release, a flush at once,
 * next to no delay) has none of it.
 *
 * @param clock waited by as it is unless it is the machine's, so that specs can turn its hands
 */
export function turnScheduleOf(settings: TurnScheduleSettings, clock: Clock): TurnSchedule {
  const { inReadInterval, outMinProcessDelay, outFlushTimeout, outEarlyRelease } = settings;
  const longest = Math.min(LONGEST_PERIOD, Math.floor(outMinProcessDelay * PERIOD_SHARE));
  const period = inReadInterval > 0 ? Math.min(longest, inReadInterval) : longest;
  if (outEarlyRelease || outFlushTimeout === 0 || period < SHORTEST_PERIOD) {
    return { clock, reading: undefined, every: 1, early: 0 };
  }
  const beat = schedulerOf(period).next();
  const interval = Math.min(inReadInterval, outMinProcessDelay * READ_SHARE);
  return {
    clock: clock === systemClock ? beat : clock,
    reading: inReadInterval > 0 ? beat : undefined,
    every: Math.max(1, Math.floor(interval / period)),
    early: clock === systemClock ? period / 2 : 0,
  };
}
