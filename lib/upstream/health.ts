import type { DegradedReason, ReportEvent } from './report/upstream-event.js';
import type { DegradedStatus } from './report/status.js';
import type { SessionSet } from './connection/session-set.js';
import { OutputRate, type Rates } from './output-rate.js';
import { StalledInputs } from './input-stall.js';
import type { UpstreamStream } from './tracks/stream.js';
import type { LagLimits } from './tracks/lag-limits.js';

/** An upstream is in order again after this long without any of the causes, ms. */
const RECOVERED_AFTER = 10_000;

/** How often what the status says about a degraded upstream changes, ms. Status pages get each change. */
const MESSAGE_INTERVAL = 5_000;

/** An upstream, as its health sees it. */
export interface HealthOwner {
  readonly isOpen: boolean;
  readonly sessions: SessionSet;
  /**
   * Frames that were dropped because the server was too slow, over all tracks, ended ones too. Others are dropped
   * without any fault: those before the key frame that a connection begins with, or those that a slate has replaced.
   */
  readonly slowFrames: number;
  readonly streams: ReadonlyMap<string, UpstreamStream>;
  report: ReportEvent;
}

/** A time of being degraded. */
interface Episode {
  /** As it was reported. */
  readonly reason: DegradedReason;
  /** What is wrong now: the lag grows or gets smaller. */
  message: string;
  /** Monotonic ms at which the message was made. */
  said: number;
  /** Monotonic ms. */
  readonly since: number;
  readonly droppedBefore: number;
  /** The largest lag so far, ms. */
  peak: number;
  /** Monotonic ms at which it was last seen to be degraded. */
  last: number;
}

/**
 * Whether viewers get what they should: an upstream is degraded while its server is further behind than
 * `kmp_rtmp_out_max_lag`, while frames are dropped, or while the server takes far less than comes in. It reports
 * `degraded` and `recovered`, and inputs that stall.
 */
export class Health {
  private episode: Episode | undefined;
  /** Dropped frames at the last check. */
  private dropped = 0;
  private wasPublishing = false;
  private readonly rate = new OutputRate();
  private readonly stalls: StalledInputs;

  constructor(
    private readonly owner: HealthOwner,
    private readonly limits: LagLimits,
  ) {
    this.stalls = new StalledInputs((event) => owner.report(event));
  }

  get isDegraded(): boolean {
    return this.episode !== undefined;
  }

  /** Call it about once a second. @param now monotonic ms */
  check(now: number): void {
    const { owner, limits, wasPublishing } = this;
    const dropped = owner.slowFrames;
    const isPublishing = owner.isOpen && owner.sessions.state === 'publishing';
    // What an outage costs is no sign of a bad line now.
    const dropping = isPublishing && wasPublishing && dropped > this.dropped;
    const lag = isPublishing ? Math.round(owner.sessions.lagMs) : 0;
    const droppedBefore = this.dropped;
    this.dropped = dropped;
    this.wasPublishing = isPublishing;
    const slow = this.slowOutput(lag, now);
    if (lag > limits.limit) this.degraded('lag', lag, droppedBefore, now);
    else if (dropping) this.degraded('frames_dropped', lag, droppedBefore, now);
    else if (slow !== undefined) this.degraded('slow_output', lag, droppedBefore, now, slow);
    else if (isPublishing) this.recovers(lag, now);
    if (owner.isOpen) this.stalls.check(owner.streams.values(), now);
  }

  /** @param now monotonic ms */
  status(now: number): DegradedStatus | null {
    const { episode } = this;
    if (episode === undefined) return null;
    const { reason, message, since, droppedBefore } = episode;
    const age = Math.floor((now - since) / 1000);
    return { reason, message, age, dropped_frames: this.owner.slowFrames - droppedBefore };
  }

  /** Rates that are far apart. A server that is not behind takes what comes in. */
  private slowOutput(lag: number, now: number): Rates | undefined {
    const { rate, limits, owner } = this;
    if (lag > limits.watch) return rate.check(now, owner.streams.values(), owner.sessions);
    rate.pause();
    return undefined;
  }

  private degraded(reason: DegradedReason, lag: number, droppedBefore: number, now: number, rates?: Rates): void {
    const rate = this.owner.sessions.main.connections.current.lag.takingRate;
    const takes = rate === undefined ? '' : `; it takes ${kbits(rate)}`;
    const behind = `the server is ${(lag / 1000).toFixed(1)} s behind`;
    const message =
      rates !== undefined
        ? `${behind}: it takes ${kbits(rates.taken)} of ${kbits(rates.received)} that come in`
        : reason === 'lag'
          ? `${behind}, and the limit is ${this.limits.limit / 1000} s (kmp_rtmp_out_max_lag)${takes}`
          : `${behind}, and frames are dropped (kmp_rtmp_out_overload)${takes}`;
    if (this.episode !== undefined) {
      const { episode } = this;
      episode.last = now;
      episode.peak = Math.max(episode.peak, lag);
      say(episode, message, now);
      return;
    }
    this.episode = { reason, message, since: now, droppedBefore, peak: lag, last: now, said: now };
    this.owner.report({ type: 'degraded', reason, message, ...this.numbers(lag, droppedBefore) });
  }

  private recovers(lag: number, now: number): void {
    const { episode, limits } = this;
    if (episode === undefined) return;
    if (lag > limits.watch) episode.last = now;
    const most = `up to ${(episode.peak / 1000).toFixed(1)} s`;
    const present = `the server is ${(lag / 1000).toFixed(1)} s behind, after ${most}`;
    say(episode, lag > limits.watch ? present : `the server was ${most} behind, and takes everything again`, now);
    if (now - episode.last < RECOVERED_AFTER) return;
    this.episode = undefined;
    const { reason, since, droppedBefore } = episode;
    const numbers = this.numbers(lag, droppedBefore);
    const ms = Math.round(now - since);
    const message = `in order again after ${Math.round(ms / 1000)} s; ${numbers.dropped_frames} frames were dropped`;
    this.owner.report({ type: 'recovered', reason, message, ...numbers, degraded_ms: ms });
  }

  private numbers(lag: number, droppedBefore: number): { readonly lag_ms: number; readonly dropped_frames: number } {
    return { lag_ms: lag, dropped_frames: this.owner.slowFrames - droppedBefore };
  }
}

function say(episode: Episode, message: string, now: number): void {
  if (now - episode.said < MESSAGE_INTERVAL) return;
  episode.message = message;
  episode.said = now;
}

/** @param rate bytes a second */
function kbits(rate: number): string {
  return `${Math.round((rate * 8) / 1000)} kbit/s`;
}
