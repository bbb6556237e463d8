import type { Timer } from '../../time/clock.js';
import { Backoff } from '../../time/backoff.js';
import type { NotificationMessage } from './message.js';
import type { NotificationSettings } from './notification.js';

/** A notification that waits or is being sent. */
export interface Job {
  readonly message: NotificationMessage;
  readonly settings: NotificationSettings;
  readonly about: { readonly upstream: string; readonly event: string; readonly reason: string };
  readonly lane: Lane;
  /** Monotonic ms after which no further attempt is made. */
  readonly until: number;
  attempts: number;
  sending: boolean;
}

/** The notifications of one upstream to one target. They are sent in order, one after the other. */
export interface Lane {
  readonly key: string;
  readonly target: Target;
  readonly jobs: Job[];
  readonly backoff: Backoff;
  /** Runs while the first one waits for its next attempt. */
  wait: Timer | undefined;
}

/** A target that does not answer delays only its own notifications. */
export interface Target {
  readonly url: string;
  readonly lanes: Map<string, Lane>;
  /** Lanes that wait for their turn to send, in order. */
  readonly ready: Set<Lane>;
  /** How many requests are open. */
  active: number;
  /** True from a failure on until a notification is delivered. */
  failing: boolean;
}

export interface QueueLimits {
  /** The largest number of notifications in the queue. */
  readonly count: number;
  /** The largest number of notifications of one upstream to one target. */
  readonly perUpstream: number;
  /** The largest number of bytes in the queue. */
  readonly bytes: number;
}

/** Bytes counted for each notification in addition to its body: the objects of the request. */
const JOB_COST = 1024;

/** The first and the longest wait between two attempts, ms. Chance makes a wait up to a quarter shorter. */
const WAITS = { first: 1000, longest: 30_000, jitter: 0.25 };

/**
 * The notifications that wait or are being sent, of all targets, within {@link QueueLimits}. It sends nothing itself.
 */
export class NotificationQueue {
  /** In the order of their events. */
  private readonly jobs = new Set<Job>();
  private readonly targets = new Map<string, Target>();
  private bytes = 0;

  constructor(
    private readonly limits: QueueLimits,
    private readonly random: () => number,
  ) {}

  get size(): number {
    return this.jobs.size;
  }

  /** True if the queue is at most half full. */
  get hasRoom(): boolean {
    return this.jobs.size <= this.limits.count / 2 && this.bytes <= this.limits.bytes / 2;
  }

  *lanes(): Iterable<Lane> {
    for (const target of this.targets.values()) yield* target.lanes.values();
  }

  /** All notifications, in the order of their events. It is a copy. */
  all(): Job[] {
    return [...this.jobs];
  }

  /**
   * The oldest notification that has to be dropped to make room for one of `size` bytes, or that one itself (`self`) if
   * dropping is of no use; undefined if there is room.
   */
  inTheWay(size: number, url: string, upstream: string): Job | 'self' | undefined {
    const { count, perUpstream, bytes } = this.limits;
    const lane = this.targets.get(url)?.lanes.get(upstream);
    const notSending = ({ sending }: Job): boolean => !sending;
    if (lane !== undefined && lane.jobs.length >= perUpstream) return lane.jobs.find(notSending) ?? 'self';
    if (this.jobs.size < count && this.bytes + size + JOB_COST <= bytes) return undefined;
    if (size + JOB_COST > bytes) return 'self';
    for (const job of this.jobs) if (!job.sending) return job;
    return 'self';
  }

  add(job: Omit<Job, 'lane' | 'attempts' | 'sending'>): Job {
    const lane = this.laneOf(job.settings.outNotifUrl, job.about.upstream);
    const added = { ...job, lane, attempts: 0, sending: false };
    lane.jobs.push(added);
    this.jobs.add(added);
    this.bytes += job.message.size + JOB_COST;
    return added;
  }

  /** The notification was delivered or is dropped. */
  remove(job: Job): void {
    if (!this.jobs.delete(job)) return;
    this.bytes -= job.message.size + JOB_COST;
    const { lane } = job;
    lane.jobs.splice(lane.jobs.indexOf(job), 1);
    if (lane.jobs.length > 0) return;
    const { target } = lane;
    lane.wait?.cancel();
    target.ready.delete(lane);
    target.lanes.delete(lane.key);
    if (target.lanes.size === 0) this.targets.delete(target.url);
  }

  private laneOf(url: string, upstream: string): Lane {
    let target = this.targets.get(url);
    if (target === undefined) {
      target = { url, lanes: new Map(), ready: new Set(), active: 0, failing: false };
      this.targets.set(url, target);
    }
    let lane = target.lanes.get(upstream);
    if (lane === undefined) {
      const backoff = new Backoff({ ...WAITS, random: this.random });
      lane = { key: upstream, target, jobs: [], backoff, wait: undefined };
      target.lanes.set(upstream, lane);
    }
    return lane;
  }
}
