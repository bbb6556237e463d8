import type { MediaType } from '../../media/codec.js';
import { CLOSE_REASONS, type CloseReason } from './close-reason.js';

/** Frames of one media type, over all tracks that there ever were. */
export interface FrameTotals {
  /** Frames that arrived and counted. */
  readonly received: number;
  /** Frames written to upstreams. */
  readonly sent: number;
  /** Frames written once more after a break (`kmp_rtmp_out_resend`). */
  readonly resent: number;
  /** Frames dropped on purpose (`kmp_rtmp_out_overload drop_frames`). */
  readonly dropped: number;
  /** Frames that did not count (duplicate, empty, without media info, ahead of a key frame). */
  readonly skipped: number;
}

/**
 * What happened since the start. Every number only grows: those of upstreams and tracks that have ended stay in it, those of
 * the living are included. Taken at one moment, so that nothing is missing or counted twice while an upstream ends.
 */
export interface ServiceTotals {
  /** Upstreams that have ended, by close reason: every reason is in it, 0 where it never came up. */
  readonly closed_upstreams: Readonly<Record<string, number>>;
  /** By whether they were let in (`allow`, `deny`, the caps). */
  readonly kmp_connections: { readonly accepted: number; readonly refused: number };
  readonly notifications: { readonly sent: number; readonly failed: number };
  /** Bytes from KMP senders. */
  readonly input_bytes: number;
  /** Bytes towards RTMP servers: written to the queue, taken by the kernel; and bytes from them. */
  readonly written_bytes: number;
  readonly sent_bytes: number;
  readonly received_bytes: number;
  /** Bytes that RTMP servers say they have read. */
  readonly acked_bytes: number;
  readonly reconnects: number;
  readonly frames: Readonly<Record<MediaType, FrameTotals>>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Sums under way. */
export interface Sums {
  input_bytes: number;
  written_bytes: number;
  sent_bytes: number;
  received_bytes: number;
  acked_bytes: number;
  reconnects: number;
  readonly frames: Readonly<Record<MediaType, Mutable<FrameTotals>>>;
}

/** Something that counts as long as it lives: an input, an upstream. */
export interface Counting {
  addTo(sums: Sums): void;
}

/** All numbers 0. */
export function emptySums(): Sums {
  const none = { received: 0, sent: 0, resent: 0, dropped: 0, skipped: 0 };
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
    sum.skipped += more.skipped;
  }
}

/**
 * The sums of a service over all that ever was. What lives keeps its own counters and is asked when the sums are wanted; when
 * it ends, its last counts go into the book.
 */
export class Totals {
  private readonly living = new Set<Counting>();
  private readonly ended = emptySums();
  private readonly reasons = new Map<CloseReason, number>(CLOSE_REASONS.map((reason) => [reason, 0]));

  enter(one: Counting): void {
    this.living.add(one);
  }

  /** `one` has ended: it counts no further. Once; a second time does nothing. */
  leave(one: Counting): void {
    if (this.living.delete(one)) one.addTo(this.ended);
  }

  upstreamEnded(reason: CloseReason): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  /** The sums of this moment. */
  take(): Sums & Pick<ServiceTotals, 'closed_upstreams'> {
    const sums = emptySums();
    addSums(sums, this.ended);
    for (const one of this.living) one.addTo(sums);
    return { closed_upstreams: Object.fromEntries(this.reasons), ...sums };
  }
}
