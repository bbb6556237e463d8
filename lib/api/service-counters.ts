/** Frames of one media type, over all tracks that there ever were. */
export interface FrameTotals {
  /** Frames that arrived and counted. */
  readonly received: number;
  /** Frames written to upstreams. */
  readonly sent: number;
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
  /** Upstreams that have ended, by close reason. Best with every reason in it, 0 where it never came up. */
  readonly closed_upstreams: Readonly<Record<string, number>>;
  readonly kmp_connections: { readonly accepted: number; readonly refused: number };
  readonly notifications: { readonly sent: number; readonly failed: number };
  /** Bytes from KMP senders. */
  readonly input_bytes: number;
  /** Bytes towards RTMP servers: written to the queue, taken by the kernel; and bytes from them. */
  readonly written_bytes: number;
  readonly sent_bytes: number;
  readonly received_bytes: number;
  readonly reconnects: number;
  readonly frames: { readonly video: FrameTotals; readonly audio: FrameTotals };
}

/** Where the metrics get their sums from; asynchronous, since with several workers all of them have to be asked. */
export interface ServiceCounters {
  totals(): Promise<ServiceTotals>;
}
