import type { MediaSettings } from '../../../config/settings.js';
import { maskUrl } from '../../../base/mask.js';
import type { Logger } from '../../../base/logger.js';
import type { Clock } from '../../../time/clock.js';
import { STABLE_AFTER } from '../../destination/backoff.js';
import type { UpstreamEvent } from '../../report/upstream-event.js';
import type { Destination } from '../destination.js';
import type { RtmpConnection } from '../rtmp-connection.js';
import type { ConnectionReplacer } from '../server/connection-replacer.js';
import { AttemptLimit } from './attempt-limit.js';
import { FailbackTimer } from './failback-timer.js';
import { LagWatch } from './lag-watch.js';
import type { FailoverCause, SessionDestination, SessionDestinations } from './session-destinations.js';

const RETURN: FailoverCause = { reason: 'failback', message: 'the primary destination takes the stream again' };

/** What the failover needs from its session. */
export interface FailoverOwner {
  /** True if a connection is in use, and nothing replaces it. */
  readonly canProbe: boolean;
  /** ms: the age of the oldest frame that the server has not taken yet. */
  readonly lagMs: number;
  connectionBroken(connection: RtmpConnection, error: Error): void;
}

/** Receives the log lines and the events of the failover. */
export interface FailoverObserver {
  readonly log: Logger;
  report(event: UpstreamEvent): void;
}

/**
 * Which destination of a session is in use, and when another one is tried beside it (docs/failover.md). With one
 * destination, it does nothing.
 */
export class Failover {
  /** How often another destination was taken into use. */
  switches = 0;
  private used: SessionDestination;
  /** Monotonic ms since when the current destination is in use; undefined while it is not. */
  private since: number | undefined;
  /** The destination that is tried beside the current one. */
  private probing: SessionDestination | undefined;
  private readonly limit: AttemptLimit;
  private readonly failback: FailbackTimer;
  private readonly lag: LagWatch;
  /** Why the destination beside the current one is tried. */
  private why: FailoverCause = RETURN;
  /** Monotonic ms at which a destination last lagged. */
  private readonly lagged = new Map<SessionDestination, number>();

  constructor(
    private readonly clock: Clock,
    settings: Pick<MediaSettings, 'outFailback' | 'outFailoverTimeout' | 'outFailoverLag'>,
    private readonly destinations: SessionDestinations,
    private readonly replacer: Pick<ConnectionReplacer, 'open'>,
    private readonly owner: FailoverOwner,
    private readonly observer: FailoverObserver,
  ) {
    this.used = destinations.current;
    this.limit = new AttemptLimit(clock, settings.outFailoverTimeout, (connection, error) =>
      owner.connectionBroken(connection, error),
    );
    this.failback = new FailbackTimer(clock, settings.outFailback, () => this.returnToPrimary());
    this.lag = new LagWatch(
      clock,
      settings.outFailoverLag,
      () => owner.lagMs,
      (lag) => this.lags(lag),
    );
  }

  /** True while a connection to another destination is opened beside the current one. */
  get isProbing(): boolean {
    return this.probing !== undefined;
  }

  /** An attempt to connect to the current destination begins. */
  attemptBegins(connection: RtmpConnection): void {
    const { hasOthers, current } = this.destinations;
    if (hasOthers) this.limit.begin(connection, current.policy.failures);
    else this.limit.stop();
  }

  /** The current destination takes media. */
  inUse(): void {
    const { destinations } = this;
    if (!destinations.hasBackups || this.since !== undefined) return;
    this.limit.stop();
    this.since = this.clock.now();
    const { current, cause } = destinations;
    destinations.cause = undefined;
    const { used } = this;
    this.used = current;
    if (current !== used && cause !== undefined) {
      this.switches++;
      this.report(used.destination, current.destination, cause);
    }
    if (current !== this.primary) this.failback.start();
    this.lag.start();
  }

  /** The current destination takes no media any more. Nothing is tried beside it. */
  ended(): void {
    this.abandonProbe();
    this.stopTimers();
    this.judgeReturn();
    this.since = undefined;
  }

  /** The primary destination is not in use any more. */
  private judgeReturn(): void {
    const { since } = this;
    if (since === undefined || this.destinations.current !== this.primary || this.switches === 0) return;
    // A return that does not last is a failed one.
    if (this.clock.now() - since < STABLE_AFTER) this.failback.failed();
    else this.failback.succeeded();
  }

  /**
   * The connection beside the current one takes over. Returns its destination if that was tried as another one;
   * undefined if the server of the current one had asked for it.
   */
  takeOver(): Destination | undefined {
    const { probing, destinations } = this;
    if (probing === undefined) return undefined;
    this.probing = undefined;
    this.stopTimers();
    this.judgeReturn();
    this.since = undefined;
    destinations.cause ??= this.why;
    destinations.use(probing);
    return probing.destination;
  }

  /** The connection beside the current one failed. */
  probeFailed(connection: RtmpConnection | undefined, error: Error): void {
    const { probing } = this;
    if (probing === undefined) return;
    if (connection !== undefined) probing.turns.failed(connection, error);
    this.abandonProbe();
    if (probing === this.primary) this.failback.failed();
    if (this.destinations.current !== this.primary) this.failback.start();
    this.lag.start();
  }

  private report(from: Destination, to: Destination, { reason, message }: FailoverCause): void {
    const count = this.destinations.all.length;
    this.observer.report({
      type: 'failover',
      reason,
      message: `${to.index === 0 ? 'the primary destination' : `backup ${to.index} of ${count - 1}`} is used: ${message}`,
      from: maskUrl(from.given),
      to: maskUrl(to.given),
      from_index: from.index,
      to_index: to.index,
      destinations: count,
    });
  }

  private get primary(): SessionDestination | undefined {
    return this.destinations.all[0];
  }

  private stopTimers(): void {
    this.limit.stop();
    this.failback.stop();
    this.lag.stop();
  }

  /** Also if the probe still waits for its turn. */
  private abandonProbe(): void {
    this.probing = undefined;
    const { all, current } = this.destinations;
    for (const one of all) if (one !== current) one.turns.leave();
  }

  private returnToPrimary(): void {
    const { primary } = this;
    if (primary !== undefined) this.probe(primary, RETURN);
  }

  /** The current destination lags: the next one that may be tried, and has not lagged itself lately, is tried. */
  private lags(lag: number): void {
    const { all, current } = this.destinations;
    const now = this.clock.now();
    this.lagged.set(current, now);
    const from = current.destination.index + 1;
    const next = [...all.slice(from), ...all.slice(0, from)].find((one) => {
      return one !== current && one.policy.mayTry && (this.lagged.get(one) ?? -Infinity) + STABLE_AFTER <= now;
    });
    if (next === undefined) this.lag.start();
    else this.probe(next, { reason: 'lag', message: `the destination before lagged by ${lag} ms` });
  }

  private probeLater(why: FailoverCause): void {
    if (why === RETURN) this.failback.start();
    else this.lag.start();
  }

  /**
   * Tries `one` beside the current destination, when it is its turn: with many upstreams, the others wait for its
   * success.
   */
  private probe(one: SessionDestination, why: FailoverCause): void {
    if (this.probing !== undefined) {
      this.probeLater(why);
      return;
    }
    one.turns.request(() => {
      if (!this.owner.canProbe) {
        one.turns.leave();
        this.probeLater(why);
        return;
      }
      this.probing = one;
      this.why = why;
      this.observer.log.info(`destination ${one.destination.index} is tried beside the present one`);
      // Frames that a server which lags has not taken do not wait for it.
      this.replacer.open(one.destination, why !== RETURN);
    });
  }
}
