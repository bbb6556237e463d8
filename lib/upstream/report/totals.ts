import type { MediaType } from '../../media/codec.js';
import { UPSTREAM_EVENTS, type UpstreamEventType } from '../../base/upstream-events.js';
import type { Rejections } from './rejection.js';
import { CLOSE_REASONS, type CloseReason } from './close-reason.js';

/** Frames of one media type, over all tracks since the start. */
export interface FrameTotals {
  /** Frames that arrived and were accepted. */
  readonly received: number;
  /** Frames written to upstreams. */
  readonly sent: number;
  /** Frames written again after a connection broke (`kmp_rtmp_out_resend`). */
  readonly resent: number;
  /** See `TrackStatus.dropped_frames`. */
  readonly dropped: number;
  /** Frames of slates, which the service has made itself. */
  readonly slate: number;
  /** Frames that were not accepted (duplicate, empty, without media info, ahead of a key frame). */
  readonly skipped: number;
}

/**
 * What happened since the start. All numbers only grow. They include upstreams and tracks that have ended as well as
 * those that are active. They are taken at one moment, so that nothing is missing or counted twice while an upstream
 * ends.
 */
export interface ServiceTotals {
  /** Upstreams that have ended, by close reason. Every reason is listed, with 0 if it never occurred. */
  readonly closed_upstreams: Readonly<Record<string, number>>;
  /** Events of upstreams, by type. Every type is listed. */
  readonly upstream_events: Readonly<Record<UpstreamEventType, number>>;
  /**
   * KMP connections that were accepted, and those refused by `allow`, `deny` or a limit. `rejected`: the accepted ones
   * whose sender was disconnected by a rule.
   */
  readonly kmp_connections: {
    readonly accepted: number;
    readonly refused: number;
    readonly rejected: Readonly<Rejections>;
    /** The accepted ones that were passed on to another node of the fleet. */
    readonly relayed: number;
  };
  /**
   * Notifications that were delivered, and those that failed for good. `dropped`: the part of `failed` that was dropped
   * because too many were waiting. `retried`: how often one was sent again.
   */
  readonly notifications: Readonly<Record<'sent' | 'failed' | 'retried' | 'dropped', number>>;
  /** Bytes from KMP senders. */
  readonly input_bytes: number;
  /**
   * Bytes towards RTMP servers: written to the queue, and taken by the kernel. `received_bytes`: bytes from the
   * servers.
   */
  readonly written_bytes: number;
  readonly sent_bytes: number;
  readonly received_bytes: number;
  /** Bytes that RTMP servers say they have read. */
  readonly acked_bytes: number;
  readonly reconnects: number;
  readonly frames: Readonly<Record<MediaType, FrameTotals>>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Sums that are still being added up. */
export interface Sums {
  input_bytes: number;
  written_bytes: number;
  sent_bytes: number;
  received_bytes: number;
  acked_bytes: number;
  reconnects: number;
  readonly frames: Readonly<Record<MediaType, Mutable<FrameTotals>>>;
}

/** Something that counts while it is active: an input or an upstream. */
export interface Counting {
  addTo(sums: Sums): void;
}

/** All numbers 0. */
export function emptySums(): Sums {
  const none = { received: 0, sent: 0, resent: 0, dropped: 0, slate: 0, skipped: 0 };
  return {
    input_bytes: 0,
    written_bytes: 0,
    sent_bytes: 0,
    received_bytes: 0,
    acked_bytes: 0,
    reconnects: 0,
    frames: { video: { ...none }, audio: { ...none } },
  };
}

/** Adds `from` to `to`. */
export function addSums(to: Sums, from: Sums): void {
  to.input_bytes += from.input_bytes;
  to.written_bytes += from.written_bytes;
  to.sent_bytes += from.sent_bytes;
  to.received_bytes += from.received_bytes;
  to.acked_bytes += from.acked_bytes;
  to.reconnects += from.reconnects;
  for (const media of ['video', 'audio'] as const) {
    const [sum, more] = [to.frames[media], from.frames[media]];
    sum.received += more.received;
    sum.sent += more.sent;
    sum.resent += more.resent;
    sum.dropped += more.dropped;
    sum.slate += more.slate;
    sum.skipped += more.skipped;
  }
}

/**
 * The sums of a service since its start. An active input or upstream keeps its own counters, which are read when the
 * sums are requested. When it ends, its last counts are added to `ended`.
 */
export class Totals {
  private readonly active = new Set<Counting>();
  private readonly ended = emptySums();
  private readonly reasons = new Map<CloseReason, number>(CLOSE_REASONS.map((reason) => [reason, 0]));

  private readonly events: Record<UpstreamEventType, number>;

  constructor() {
    const none = UPSTREAM_EVENTS.map((type) => [type, 0]);
    this.events = Object.fromEntries(none) as Record<UpstreamEventType, number>;
  }

  enter(one: Counting): void {
    this.active.add(one);
  }

  /** `one` has ended: its last counts are added once. A second call does nothing. */
  leave(one: Counting): void {
    if (this.active.delete(one)) one.addTo(this.ended);
  }

  upstreamEnded(reason: CloseReason): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  eventReported(type: UpstreamEventType): void {
    this.events[type]++;
  }

  /** The sums at this moment. */
  take(): Sums & Pick<ServiceTotals, 'closed_upstreams' | 'upstream_events'> {
    const sums = emptySums();
    addSums(sums, this.ended);
    for (const one of this.active) one.addTo(sums);
    return { closed_upstreams: Object.fromEntries(this.reasons), upstream_events: { ...this.events }, ...sums };
  }
}
