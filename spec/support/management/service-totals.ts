import type { Processes } from '../../../lib/api/metrics/process-metrics.js';
import type { ServiceTotals } from '../../../lib/api/metrics/service-counters.js';

/** Totals of a service that has run for a while. */
export function sampleTotals(): ServiceTotals {
  return {
    closed_upstreams: { done: 3, send_failed: 0 },
    upstream_events: {
      rtmp_close: 3,
      rtmp_reconnect: 5,
      publish_start: 9,
      publish_end: 8,
      publish_failed: 1,
      input_lost: 0,
      input_back: 0,
      degraded: 0,
      recovered: 0,
      failover: 0,
    },
    kmp_connections: {
      accepted: 12,
      refused: 2,
      rejected: { signature: 5, owner: 4, max_streams: 3, track_memory: 1, fleet_misplaced: 2, fleet_stale: 6 },
      relayed: 7,
    },
    notifications: { sent: 3, failed: 1, retried: 6, dropped: 0 },
    input_bytes: 9000000,
    written_bytes: 8000000,
    sent_bytes: 7000000,
    received_bytes: 60000,
    acked_bytes: 6500000,
    reconnects: 5,
    frames: {
      video: { received: 4000, sent: 3900, resent: 50, dropped: 60, slate: 0, skipped: 9 },
      audio: { received: 7000, sent: 6900, resent: 20, dropped: 0, slate: 0, skipped: 7 },
    },
  };
}

/** A service with one worker. */
export function sampleProcesses(): Processes {
  const main = {
    loop_lag: 0.002,
    loop_lag_max: 0.02,
    resident: 90_000_000,
    memory_limit: 512_000_000,
    heap_used: 20_000_000,
    heap_limit: 260_000_000,
    open_fds: 30,
    max_fds: 1024,
    read_interval: null,
    turn_load: 0,
  };
  return {
    main,
    'worker-0': { ...main, loop_lag: 0.25, open_fds: null, max_fds: null, read_interval: 0.1, turn_load: 0.04 },
  };
}
