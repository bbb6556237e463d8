import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { systemClock, type Clock } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { noLog, type Logger } from '../../base/logger.js';
import { maskIn, maskUrl } from '../../base/mask.js';
import { NotificationMessage } from './message.js';
import { NotificationQueue, type Job, type Lane, type Target } from './notification-queue.js';
import { NotificationError, postNotification } from './notification-request.js';
import type { NotificationBody, NotificationSettings } from './notification.js';

export interface NotifierOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
  /** The largest number of simultaneous requests to one target; further ones wait. Default 100. */
  readonly maxInFlight?: number;
  /** The largest number of notifications that wait or are being sent, for all targets. Default 10,000. */
  readonly maxHeld?: number;
  /** The same for one upstream and one target. Default 1000. */
  readonly maxHeldPerUpstream?: number;
  /**
   * The largest number of bytes that wait or are being sent, for all targets; each notification counts 1 KiB more than
   * its body. Default 16 MiB.
   */
  readonly maxHeldBytes?: number;
  /** 0 to 1, for the lengths of waits; default `Math.random`. */
  readonly random?: () => number;
}

/** How many notifications succeeded and how many failed (including those dropped). */
export interface NotifierCounters {
  readonly sent: number;
  readonly failed: number;
}

/** How often a notification was sent again, and how many were dropped because too many were waiting. */
export interface DeliveryCounters {
  readonly retried: number;
  readonly dropped: number;
}

/**
 * Delivers notifications (docs/notifications.md): in order for each upstream, and again after a failure, for as long as
 * `kmp_rtmp_out_notif_retry` says. They never delay media and never throw: a failure is logged and counted. The queue
 * is bounded; at a limit, the oldest notification is dropped.
 */
export class Notifier {
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly maxInFlight: number;
  private readonly queue: NotificationQueue;
  /** The last sequence number of each upstream that has one, by its number. */
  private readonly sequences = new Map<number, number>();
  private readonly abort = new AbortController();
  private readonly waiters = new Set<() => void>();
  private draining = false;
  private sent = 0;
  private failed = 0;
  private retried = 0;
  private dropped = 0;
  /** How many were dropped since the queue was last half empty. */
  private droppedLately = 0;

  constructor(options: NotifierOptions = {}) {
    const { maxHeld = 10_000, maxHeldPerUpstream = 1000, maxHeldBytes = 16 * 2 ** 20, random = Math.random } = options;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? noLog;
    this.maxInFlight = options.maxInFlight ?? 100;
    const limits = { count: maxHeld, perUpstream: maxHeldPerUpstream, bytes: maxHeldBytes };
    this.queue = new NotificationQueue(limits, random);
    // Every active request adds a listener, so many listeners are not a leak.
    setMaxListeners(0, this.abort.signal);
  }

  get counters(): NotifierCounters {
    return { sent: this.sent, failed: this.failed };
  }

  get deliveryCounters(): DeliveryCounters {
    return { retried: this.retried, dropped: this.dropped };
  }

  /** How many notifications wait or are being sent. */
  get pending(): number {
    return this.queue.size;
  }

  /**
   * Sends `body` if `settings` have a target and select events of its type. Returns at once.
   *
   * @param connection number of the upstream. Each upstream has sequence numbers of its own
   */
  notify(body: NotificationBody, settings: NotificationSettings, connection = 0): void {
    const { event_type: type, upstream_id: upstream, reason } = body;
    const sequence = (this.sequences.get(connection) ?? 0) + 1;
    const about = { upstream, event: type, reason };
    const selected = settings.outNotifUrl !== '' && settings.outNotifEvents.includes(type);
    // It is the last event of the upstream.
    if (type === 'rtmp_close') this.sequences.delete(connection);
    else if (selected) this.sequences.set(connection, sequence);
    if (!selected) return;
    if (this.abort.signal.aborted) {
      this.failure({ settings, about }, 'the service is stopping');
      return;
    }
    const time = new Date(this.clock.wall()).toISOString();
    const message = new NotificationMessage(body, { id: randomUUID(), time, sequence, connection });
    if (!this.makeRoom(message.size, settings, upstream)) {
      this.overflow({ settings, about });
      return;
    }
    const until = this.clock.now() + settings.outNotifRetry;
    const { lane } = this.queue.add({ message, settings, about, until });
    if (lane.jobs.length === 1) this.ready(lane);
  }

  /**
   * Makes one more attempt for each notification at once, and waits until all have succeeded or failed. Requests that
   * are still open after `timeout` ms are cancelled. After that, nothing is sent.
   *
   * @returns false if some were cancelled
   */
  async drain(timeout: number): Promise<boolean> {
    this.draining = true;
    for (const lane of [...this.queue.lanes()]) {
      if (lane.wait === undefined) continue;
      lane.wait.cancel();
      this.ready(lane);
    }
    const complete = await this.idle(timeout);
    this.abort.abort();
    for (const job of this.queue.all()) {
      if (!job.sending) this.giveUp(job, 'cancelled because the service is stopping');
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

  /** The first notification of the lane is sent as soon as its target has fewer open requests than the limit. */
  private ready(lane: Lane): void {
    lane.wait = undefined;
    lane.target.ready.add(lane);
    this.sendNext(lane.target);
  }

  private sendNext(target: Target): void {
    for (const lane of target.ready) {
      if (target.active >= this.maxInFlight) return;
      target.ready.delete(lane);
      const [job] = lane.jobs;
      if (job !== undefined) void this.send(job);
    }
  }

  private async send(job: Job): Promise<void> {
    const { lane, about } = job;
    const { target } = lane;
    target.active++;
    job.sending = true;
    if (++job.attempts > 1) this.retried++;
    try {
      const request = job.message.request(job.attempts);
      const status = await postNotification(request, job.settings, this.clock, this.abort.signal);
      this.sent++;
      this.log.debug(`notification sent, answered with ${status}`, { ...about, attempt: job.attempts });
      if (target.failing) this.log.info(`notifications to ${maskUrl(target.url)} are delivered again`);
      target.failing = false;
      lane.backoff.reset();
      this.done(job);
    } catch (error) {
      this.attemptFailed(job, error);
    }
    target.active--;
    this.sendNext(target);
  }

  private attemptFailed(job: Job, error: unknown): void {
    job.sending = false;
    const now = this.clock.now();
    const { temporary, retryAfter } = error instanceof NotificationError ? error : { temporary: false, retryAfter: 0 };
    if (!temporary || this.draining) {
      this.giveUp(job, messageOf(error));
      return;
    }
    if (job.until <= now) {
      this.giveUpUntil(now, job.lane, messageOf(error));
      return;
    }
    const { lane } = job;
    // The last attempt is made when the time is over.
    const wait = Math.min(job.until - now, Math.max(lane.backoff.next() ?? 0, retryAfter));
    lane.wait = this.clock.after(wait, () => this.ready(lane), false);
    if (lane.target.failing) return;
    lane.target.failing = true;
    const text = `${this.failureText(job, messageOf(error))}; it is sent again (kmp_rtmp_out_notif_retry)`;
    this.log.warn(text, job.about);
  }

  /** The notification failed for good. */
  private giveUp(job: Job, why: string): void {
    this.failure(job, why);
    this.done(job);
  }

  /** The first notification of the lane failed for good, and so do those behind it whose time is over as well. */
  private giveUpUntil(now: number, lane: Lane, why: string): void {
    for (const job of [...lane.jobs]) {
      if (job.until > now) return;
      this.giveUp(job, why);
    }
  }

  /** The notification is finished. The next one of its lane follows. */
  private done(job: Job): void {
    const { lane } = job;
    const first = lane.jobs[0] === job;
    this.queue.remove(job);
    if (first && lane.jobs.length > 0 && lane.wait === undefined) lane.target.ready.add(lane);
    if (this.queue.hasRoom) this.roomAgain();
    if (this.pending === 0) for (const done of [...this.waiters]) done();
  }

  private makeRoom(size: number, settings: NotificationSettings, upstream: string): boolean {
    for (;;) {
      const job = this.queue.inTheWay(size, settings.outNotifUrl, upstream);
      if (job === undefined) return true;
      if (job === 'self') return false;
      this.overflow(job);
      this.queue.remove(job);
    }
  }

  private failure(job: Pick<Job, 'settings' | 'about'>, why: string): void {
    this.failed++;
    this.log.error(this.failureText(job, why), job.about);
  }

  private failureText({ settings: { outNotifUrl: url } }: Pick<Job, 'settings'>, why: string): string {
    return `notification to ${maskUrl(url)} failed: ${maskIn(why, [url])}`;
  }

  /**
   * Logs once until the queue is half empty again: a target that does not answer while many upstreams end must not fill
   * the log.
   */
  private overflow({ settings, about }: Pick<Job, 'settings' | 'about'>): void {
    this.failed++;
    this.dropped++;
    if (this.droppedLately++ > 0) return;
    const why = 'too many are waiting; the oldest ones are dropped';
    this.log.error(`notification to ${maskUrl(settings.outNotifUrl)} dropped: ${why}`, about);
  }

  private roomAgain(): void {
    const count = this.droppedLately;
    this.droppedLately = 0;
    if (count > 1) this.log.error(`${count} notifications were not sent, because too many were waiting`);
  }
}
