import type { UpstreamStatus } from './status.js';

/** The byte counters of an RTMP connection. */
export const BYTES = ['written_bytes', 'sent_bytes', 'received_bytes', 'acked_bytes'] as const;

/** Bytes transferred over RTMP connections. */
export type ByteCounts = Pick<UpstreamStatus, (typeof BYTES)[number]>;

export const NO_BYTES: ByteCounts = { written_bytes: 0, sent_bytes: 0, received_bytes: 0, acked_bytes: 0 };

export function addBytes(a: ByteCounts, b: ByteCounts): ByteCounts {
  return {
    written_bytes: a.written_bytes + b.written_bytes,
    sent_bytes: a.sent_bytes + b.sent_bytes,
    received_bytes: a.received_bytes + b.received_bytes,
    acked_bytes: a.acked_bytes + b.acked_bytes,
  };
}
