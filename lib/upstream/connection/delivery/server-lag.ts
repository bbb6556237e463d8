import type { AckedBytes } from '../../../rtmp/chunk/acked-bytes.js';
import type { QueueWatcher } from '../../../rtmp/network/tcp-queues.js';
import type { TcpQueueSizes } from '../../../rtmp/network/tcp-table.js';
import type { Clock, Timer } from '../../../time/clock.js';
import type { LagLimits } from '../../tracks/lag-limits.js';
import { ByteTimes } from './byte-times.js';
import { TakingRate } from './taking-rate.js';

/**
 * The last acknowledgement counts until the next one is overdue: for twice the time between the last two, and for this
 * long in addition, ms.
 */
const ACK_MARGIN = 1_000;

/** The longest time between two acknowledgements that counts, ms. */
const LONGEST_ACK = 10_000;

/** Acknowledgements that come at least this often, ms, show the lag without the kernel's queue. */
const STEADY_ACKS = 2_000;

/** So much is written ahead to a slow server: what it takes in this time, ms, and at least so many bytes. */
const AHEAD = { ms: 2_000, bytes: 32 * 1024 } as const;

/** A server that has become slow reads less at once: each acknowledgement reduces the expected distance by this. */
const STEP_DECAY = 0.9;

/**
 * How often the kernel's queue is measured, ms: if the server may be slow; if the lag has a limit, and nothing else
 * shows it; only to show it: then requests to the API measure it, too.
 */
const MEASURE = { slow: 900, limited: 2_500, shown: 15_000 } as const;

/** A server that was slow for a while counts as fast again if the lag is about the usual one for this long, ms. */
const CALM = 10_000;

/** ms without any news of the server, after which nothing is held back. */
const BLIND = 5_000;

/** What the lag is known from. All positions count the bytes of the connection, from its first one on. */
export interface LagSources {
  /** What the server says that it has read. */
  readonly acked: AckedBytes;
  /** Position behind the last byte that the kernel has accepted. */
  readonly handed: number;
  /** Position behind the last byte that has left the encoder. */
  readonly taken: number;
}

/**
 * How far the server of one connection is behind: the age of the first byte that it has not taken. What the kernel has
 * accepted does not count as taken, because a kernel holds megabytes: half a minute of video.
 *
 * The position of the server is known from its Acknowledgements and from the length of the kernel's queue. An
 * Acknowledgement is exact when it comes; later, the server may have read up to one window more. The queue shows what
 * the kernel of the server has taken, which may be more than the server has read.
 *
 * While the server is behind and frames may be dropped, only so much is written ahead as it takes in two seconds. The
 * rest waits in the queues of the tracks, where it can still be dropped.
 */
export class ServerLag implements QueueWatcher {
  private readonly times = new ByteTimes();
  private readonly rate = new TakingRate();
  /** The last acknowledgement: position, monotonic ms, ms since the one before, and the lag at that time. */
  private ack = { position: 0, at: -Infinity, after: 0, lag: 0 };
  /**
   * The last measurement of the kernel's queue: the position that the server's kernel has reached, and the lag; 0 once
   * an acknowledgement is newer.
   */
  private sample = { position: 0, lag: 0 };
  /** Most bytes between two of the recent acknowledgements. */
  private recentStep = Infinity;
  /** Position up to which may be encoded while the server is slow. */
  private allowedEnd = Infinity;
  /** Position that the server's kernel has acknowledged. */
  private confirmed = 0;
  private blindTimer: Timer | undefined;
  /** Monotonic ms since which a slow server has had about the usual lag. */
  private calmSince = Infinity;

  /** @param onAllowance called with the bytes that may be encoded from now on */
  constructor(
    private readonly sources: LagSources,
    private readonly limits: LagLimits,
    private readonly clock: Clock,
    private readonly onAllowance: (bytes: number) => void,
  ) {}

  /** True while the server is slow, and no more is written ahead than it takes in two seconds. */
  get isPaced(): boolean {
    return this.blindTimer !== undefined;
  }

  /** Bytes a second that the server takes while it is behind; undefined: not known. */
  get takingRate(): number | undefined {
    return this.rate.perSecond;
  }

  get handed(): number {
    return this.sources.handed;
  }

  /** A batch leaves the encoder; see {@link ByteTimes.push}. */
  batch(start: number, end: number, first: number, last: number): void {
    this.times.push(start, end, first, last);
  }

  /** ms: the age of the first written byte that the server has not taken; 0 if there is none. */
  value(now: number): number {
    const { ack, sample, sources } = this;
    // What the kernel has not even accepted is known without a measurement.
    const waiting = sources.taken > sources.handed ? this.ageAt(sources.handed, now) : 0;
    const fresh = this.isAckFresh(now) && sources.taken > ack.position;
    return Math.max(waiting, sample.lag, fresh ? ack.lag : 0, this.overdue(now));
  }

  measureAfter(now: number): number {
    const { limits, sources, sample, ack } = this;
    if (this.isPaced || this.value(now) > limits.watch) return MEASURE.slow;
    if (sources.handed <= this.position && sample.lag === 0) return Infinity;
    if (this.isAckFresh(now) && ack.after <= STEADY_ACKS) return Infinity;
    return limits.drops ? MEASURE.limited : MEASURE.shown;
  }

  measured({ unsent, unread }: TcpQueueSizes, asOf: number): void {
    const now = this.clock.now();
    // Received bytes that are not acknowledged yet are in both counts. So this is the least that the server has taken.
    const bytes = unsent + unread;
    this.sample.position = Math.max(this.sample.position, asOf - bytes);
    this.confirmed = Math.max(this.confirmed, asOf - unsent);
    // If the server has taken all that it could, nothing is known about the bytes that were written since then. They
    // may be old, because this process was held up.
    this.sample.lag = this.position >= asOf ? 0 : this.ageAt(this.position, now);
    this.moved(now, bytes);
  }

  /** A number that grows whenever the server is seen to take something. */
  get progress(): number {
    return this.sources.acked.bytes + this.sample.position + this.confirmed;
  }

  /** The server has acknowledged bytes. */
  acknowledged(): void {
    const { acked } = this.sources;
    if (!acked.inUse || acked.bytes <= this.ack.position) return;
    const now = this.clock.now();
    const after = Math.min(now - this.ack.at, LONGEST_ACK);
    this.recentStep = Math.max(acked.bytes - this.ack.position, Math.min(acked.step, this.recentStep) * STEP_DECAY);
    this.sample.lag = 0;
    this.ack = { position: acked.bytes, at: now, after, lag: this.ageAt(acked.bytes, now) };
    this.moved(now, 0);
  }

  /** The connection is over. */
  close(): void {
    this.blindTimer?.cancel();
    this.blindTimer = undefined;
  }

  /** The position that the server has reached, as far as is known. */
  get position(): number {
    const { acked } = this.sources;
    if (!acked.inUse) return this.sample.position;
    return Math.max(acked.bytes, Math.min(this.sample.position, acked.bytes + this.step));
  }

  /** How many bytes the server may have read beyond its last acknowledgement. */
  private get step(): number {
    const { acked } = this.sources;
    return this.isPaced ? Math.min(acked.step, this.recentStep) : acked.step;
  }

  private isAckFresh(now: number): boolean {
    return this.sources.acked.inUse && now < this.ack.at + 2 * this.ack.after + ACK_MARGIN;
  }

  private ageAt(position: number, now: number): number {
    const arrived = this.times.arrivalOf(position);
    return arrived === undefined ? 0 : Math.max(0, now - arrived);
  }

  /** The age of bytes that the server would have acknowledged if it had read them. */
  private overdue(now: number): number {
    const { acked } = this.sources;
    return acked.inUse ? this.ageAt(acked.bytes + acked.step, now) : 0;
  }

  /** There is news of the server. @param queued bytes in the kernel's queue, if that was measured */
  private moved(now: number, queued: number): void {
    const { acked, handed } = this.sources;
    const { position } = this;
    this.times.forget(acked.inUse ? acked.bytes : position);
    // A server with nothing to take does not show the rate at which it would.
    const left = acked.inUse ? handed - acked.bytes - this.step : 0;
    if (Math.max(queued, left) > 0) this.rate.reached(position, now);
    // If it was paced, and less was written than allowed, the limit was this service's own, and the rate stays.
    else if (this.isPaced && this.sources.taken < this.allowedEnd) this.rate.pause();
    // It may have read all that it has not acknowledged, or nothing of it.
    else if (this.isPaced && acked.inUse && acked.bytes < handed) this.rate.raise(position, now);
    // It has taken everything, so its rate is higher than the measured one.
    else this.rate.reset();
    if (this.limits.drops) this.pace(now, position);
  }

  private pace(now: number, position: number): void {
    const { perSecond } = this.rate;
    const { isPaced, limits } = this;
    const lag = this.value(now);
    if (lag > (limits.usual + limits.watch) / 2) this.calmSince = Infinity;
    else this.calmSince = Math.min(this.calmSince, now);
    const goesOn = isPaced ? now - this.calmSince < CALM : lag >= limits.watch;
    this.close();
    if (perSecond === undefined || !goesOn) {
      this.onAllowance(Infinity);
      return;
    }
    this.blindTimer = this.clock.after(BLIND, () => this.unpace(), false);
    this.allowedEnd = position + Math.max(AHEAD.bytes, (perSecond * AHEAD.ms) / 1000);
    this.onAllowance(Math.max(0, this.allowedEnd - this.sources.taken));
  }

  private unpace(): void {
    this.close();
    this.onAllowance(Infinity);
  }
}
