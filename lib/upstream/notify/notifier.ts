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
  /** The largest number of simultaneous requests to one target; further ones wait. Default 100. */
  readonly maxInFlight?: number;
  /**
   * The largest number of bytes that wait or are being sent, for all targets; each notification counts 1 KiB more than
   * its body. Further notifications are dropped. Default 16 MiB.
   */
  readonly maxHeldBytes?: number;
}

/** How many notifications succeeded and how many failed (including those dropped). */
export interface NotifierCounters {
  readonly sent: number;
  readonly failed: number;
}

/** Bytes counted for each notification in addition to its body: the objects of the request. */
const JOB_COST = 1024;

interface Job {
  readonly body: Buffer;
  readonly settings: NotificationSettings;
  readonly about: { readonly upstream: string; readonly event: string; readonly reason: string };
}

/** The notifications of one target. A target that does not answer delays only its own notifications. */
interface Target {
  active: number;
  readonly waiting: Job[];
}

/**
 * Posts notifications (docs/protocol/behaviour.md, Notifications). They never delay media and never throw: a failure is
 * logged and counted. A failed notification is not sent again, as in the module.
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
    // Every active request adds a listener, so many listeners are not a leak.
    setMaxListeners(0, this.abort.signal);
  }

  get counters(): NotifierCounters {
    return { sent: this.sent, failed: this.failed };
  }

  /** How many notifications wait or are being sent. */
  get pending(): number {
    let pending = 0;
    for (const { active, waiting } of this.targets.values()) pending += active + waiting.length;
    return pending;
  }

  /** Sends `event` if `settings` have a target and select events of its type. Returns at once. */
  notify(event: NotificationBody, settings: NotificationSettings): void {
    if (settings.outNotifUrl === '' || !settings.outNotifEvents.includes(event.event_type)) return;
    const body = Buffer.from(JSON.stringify(event));
    const about = { upstream: event.upstream_id, event: event.event_type, reason: event.reason };
    const job: Job = { body, settings, about };
    if (this.abort.signal.aborted) {
      this.failure(job, 'the service is stopping');
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
   * Waits until all requests are answered or have failed; requests that are still open after `timeout` ms are
   * cancelled. After that, nothing is sent.
   *
   * @returns false if some were cancelled
   */
  async drain(timeout: number): Promise<boolean> {
    const complete = await this.idle(timeout);
    this.abort.abort();
    for (const target of this.targets.values()) {
      for (const job of target.waiting.splice(0)) {
        this.heldBytes -= job.body.length + JOB_COST;
        this.failure(job, 'cancelled because the service is stopping');
      }
    }
    // Cancelled requests fail within a moment. Waiting for that puts their lines into the log, too.
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

  /**
   * Logs once until the queue is below the limit again: a target that does not answer while many upstreams end must not
   * fill the log.
   */
  private overflow(job: Job): void {
    this.failed++;
    if (this.overflown) return;
    this.overflown = true;
    const limit = `${this.maxHeldBytes} bytes of notifications are queued already; further ones are dropped`;
    this.log.error(`notification to ${maskUrl(job.settings.outNotifUrl)} dropped: ${limit}`, job.about);
  }
}
