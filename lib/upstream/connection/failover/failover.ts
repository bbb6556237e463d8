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
import type { FailoverCause, SessionDestination, SessionDestinations } from './session-destinations.js';

/** What the failover needs from its session. */
export interface FailoverOwner {
  /** True if a connection is in use, and nothing replaces it. */
  readonly canProbe: boolean;
  connectionBroken(connection: RtmpConnection, error: Error): void;
}

/** Hears of it. */
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

  constructor(
    private readonly clock: Clock,
    settings: Pick<MediaSettings, 'outFailback' | 'outFailoverTimeout'>,
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
  }

  /** The current destination takes no media any more. Nothing is tried beside it. */
  ended(): void {
    this.abandonProbe();
    this.limit.stop();
    this.failback.stop();
    const { since } = this;
    this.since = undefined;
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
    this.since = undefined;
    this.limit.stop();
    this.failback.stop();
    destinations.cause ??= { reason: 'failback', message: 'the primary destination takes the stream again' };
    destinations.use(probing);
    return probing.destination;
  }

  /** The connection beside the current one failed. */
  probeFailed(connection: RtmpConnection | undefined, error: Error): void {
    const { probing } = this;
    if (probing === undefined) return;
    if (connection !== undefined) probing.turns.failed(connection, error);
    this.abandonProbe();
    this.failback.failed();
    this.failback.start();
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

  /** Also if the probe still waits for its turn. */
  private abandonProbe(): void {
    this.probing = undefined;
    const { primary, destinations } = this;
    if (primary !== destinations.current) primary?.turns.leave();
  }

  private returnToPrimary(): void {
    const { primary, owner } = this;
    if (primary === undefined) return;
    // With many upstreams, one tries, and the others follow its success.
    primary.turns.request(() => {
      if (!owner.canProbe) {
        primary.turns.leave();
        this.failback.start();
        return;
      }
      this.probing = primary;
      this.observer.log.info('the primary destination is tried beside the backup');
      this.replacer.open(primary.destination);
    });
  }
}
