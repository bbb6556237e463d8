import { setMaxListeners } from 'node:events';
import { systemClock, type Clock } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { noLog, type Logger } from '../../base/logger.js';
import { maskIn, maskUrl } from '../../base/mask.js';
import { postNotification } from './notification-request.js';
import type { NotificationBody, NotificationSettings } from './notification.js';

export interface NotifierOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Most requests to one target at a time; more wait. Default 100. */
  readonly maxInFlight?: number;
  /** Most bytes (1 KiB each beside the body) that wait or are on their way, for all targets; more is dropped. Default 16 MiB. */
  readonly maxHeldBytes?: number;
}

/** How many notifications got through, and how many did not (dropped ones included). */
export interface NotifierCounters {
  readonly sent: number;
  readonly failed: number;
}

/** Charged for each notification beside its body: the request's own objects. */
const JOB_COST = 1024;

interface Job {
  readonly body: Buffer;
  readonly settings: NotificationSettings;
  readonly about: { readonly upstream: string; readonly event: string; readonly reason: string };
}

/** The notifications of one target: one that hangs holds up nobody else's. */
interface Target {
  active: number;
  readonly waiting: Job[];
}

/**
 * Posts notifications (spec/module.md, kmp_rtmp_out_notif_url). They never hold media up and never throw: a failure is a log
 * line and a count. There is no second try, as in the module.
 */
export class Notifier {
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly maxInFlight: number;
  private readonly maxHeldBytes: number;
  private readonly targets = new Map<string, Target>();
  private readonly abort = new AbortController();
  private readonly waiters = new Set<() => void>();
  private heldBytes = 0;
  private overflown = false;
  private sent = 0;
  private failed = 0;

  constructor(options: NotifierOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? noLog;
    this.maxInFlight = options.maxInFlight ?? 100;
    this.maxHeldBytes = options.maxHeldBytes ?? 16 * 2 ** 20;
    // Every request under way listens: many are no leak.
    setMaxListeners(0, this.abort.signal);
  }

  get counters(): NotifierCounters {
    return { sent: this.sent, failed: this.failed };
  }

  /** How many wait or are on their way. */
  get pending(): number {
    let pending = 0;
    for (const { active, waiting } of this.targets.values()) pending += active + waiting.length;
    return pending;
  }

  /** Sends `event`, if `settings` name a target and ask for events of its type. Returns at once. */
  notify(event: NotificationBody, settings: NotificationSettings): void {
    if (settings.outNotifUrl === '' || !settings.outNotifEvents.includes(event.event_type)) return;
    const body = Buffer.from(JSON.stringify(event));
    const about = { upstream: event.upstream_id, event: event.event_type, reason: event.reason };
    const job: Job = { body, settings, about };
    if (this.abort.signal.aborted) {
      this.failure(job, 'the service stops');
      return;
    }
    if (this.heldBytes + body.length + JOB_COST > this.maxHeldBytes) {
      this.overflow(job);
      return;
    }
    this.heldBytes += body.length + JOB_COST;
    const key = settings.outNotifUrl;
    const target = this.targets.get(key) ?? { active: 0, waiting: [] };
    this.targets.set(key, target);
    target.waiting.push(job);
    this.next(key, target);
  }

  /**
   * Waits until all are answered or have failed; those that are not after `timeout` ms are given up. From then on nothing is
   * sent any more.
   *
   * @returns false if some were given up
   */
  async drain(timeout: number): Promise<boolean> {
    const complete = await this.idle(timeout);
    this.abort.abort();
    for (const target of this.targets.values()) {
      for (const job of target.waiting.splice(0)) {
        this.heldBytes -= job.body.length + JOB_COST;
        this.failure(job, 'given up, since the service stops');
      }
    }
    // Those on their way fail with the signal, in a moment; their lines belong to the log too.
    if (!complete) await this.idle(1000);
    return complete;
  }

  private idle(timeout: number): Promise<boolean> {
    if (this.pending === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (complete: boolean): void => {
        timer.cancel();
        this.waiters.delete(done);
        resolve(complete);
      };
      const done = (): void => settle(true);
      const timer = this.clock.after(timeout, () => settle(false));
      this.waiters.add(done);
    });
  }

  private next(key: string, target: Target): void {
    while (target.active < this.maxInFlight) {
      const job = target.waiting.shift();
      if (job === undefined) break;
      target.active++;
      void this.send(job).then(() => {
        target.active--;
        this.heldBytes -= job.body.length + JOB_COST;
        this.next(key, target);
      });
    }
    if (target.active > 0) return;
    this.targets.delete(key);
    if (this.targets.size > 0) return;
    this.overflown = false;
    for (const done of [...this.waiters]) done();
  }

  private async send(job: Job): Promise<void> {
    try {
      const status = await postNotification(job.body, job.settings, this.clock, this.abort.signal);
      this.sent++;
      this.log.debug(`notification sent, answered with ${status}`, job.about);
    } catch (error) {
      this.failure(job, messageOf(error));
    }
  }

  private failure(job: Job, why: string): void {
    this.failed++;
    const url = job.settings.outNotifUrl;
    this.log.error(`notification to ${maskUrl(url)} failed: ${maskIn(why, [url])}`, job.about);
  }

  /** One line an episode: a target that hangs while many upstreams end must not fill the log. */
  private overflow(job: Job): void {
    this.failed++;
    if (this.overflown) return;
    this.overflown = true;
    const limit = `${this.maxHeldBytes} bytes of notifications wait already, further ones are dropped`;
    this.log.error(`notification to ${maskUrl(job.settings.outNotifUrl)} dropped: ${limit}`, job.about);
  }
}
