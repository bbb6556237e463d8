import {
  UPSTREAM_STATES,
  type GlobalStatus,
  type TrackStatus,
  type UpstreamStatus,
} from '../../upstream/report/status.js';
import type { Sample, SampledMetric, SingleValueMetric } from './metric.js';
import type { ServiceTotals } from './service-counters.js';

const MEDIA = ['video', 'audio'] as const;

/** Totals since the start, including ended upstreams. */
export const TOTAL_METRICS: readonly SampledMetric<ServiceTotals>[] = [
  counter('input_bytes_total', 'Bytes received from KMP senders', (t) => t.input_bytes),
  counter('written_bytes_total', 'Bytes written to the queues towards RTMP servers', (t) => t.written_bytes),
  counter('sent_bytes_total', 'Bytes sent to RTMP servers', (t) => t.sent_bytes),
  counter('received_bytes_total', 'Bytes received from RTMP servers', (t) => t.received_bytes),
  counter('acked_bytes_total', 'Bytes that RTMP servers have acknowledged', (t) => t.acked_bytes),
  counter('reconnects_total', 'Reconnects to RTMP servers', (t) => t.reconnects),
  frames('received', 'Frames received from KMP senders'),
  frames('sent', 'Frames written to RTMP servers'),
  frames('resent', 'Frames written to RTMP servers again after a reconnect'),
  frames('dropped', 'Frames dropped: the server was too slow, or they came before a key frame or after a slate'),
  frames('slate', 'Frames of slates, written to RTMP servers in the place of missing media'),
  frames('skipped', 'Frames skipped: duplicate, empty, without media info, before the first key frame'),
  counters('closed_upstreams_total', 'Upstreams that have ended, by reason', 'reason', (t) => t.closed_upstreams),
  counters('upstream_events_total', 'Events of upstreams, by type', 'event', (t) => t.upstream_events),
  counters(
    'input_connections_total',
    'KMP connections, by whether they were accepted',
    'result',
    ({ kmp_connections: { accepted, refused } }) => ({ accepted, refused }),
  ),
  counters(
    'rejected_senders_total',
    'KMP senders that were disconnected by a rule: no valid signature, an upstream of another owner, too many streams, too much memory of one track, or a track of another node of the fleet',
    'rule',
    (t) => t.kmp_connections.rejected,
  ),
  counters(
    'fleet_misplaced_total',
    'KMP connections of upstreams of other nodes of the fleet, by whether they were passed on there or refused',
    'result',
    ({ kmp_connections: { relayed, rejected } }) => ({
      relayed,
      refused: rejected.fleet_misplaced + rejected.fleet_stale,
    }),
  ),
  counters(
    'notifications_total',
    'HTTP notifications, by whether they were delivered',
    'result',
    ({ notifications: { sent, failed } }) => ({ sent, failed }),
  ),
  counter('notification_retries_total', 'Attempts to deliver a notification again', (t) => t.notifications.retried),
  counter(
    'notifications_dropped_total',
    'Notifications that were dropped because too many were waiting; also counted as failed',
    (t) => t.notifications.dropped,
  ),
];

/** Current values over all upstreams. */
export const CURRENT_METRICS: readonly SampledMetric<GlobalStatus>[] = [
  {
    type: 'gauge',
    name: 'build_info',
    help: 'Always 1; the versions are in the labels',
    labels: ['version', 'runtime', 'compiler'],
    samples: (s) => [[{ version: s.version, runtime: s.nginx_version, compiler: s.compiler }, 1]],
  },
  gauge(
    'missing_workers',
    'Workers that do not answer or are being replaced; the other metrics lack their upstreams',
    (s) => s.missing_workers?.length ?? 0,
  ),
  gauge('uptime_seconds', 'Time since the start', (s) => s.uptime),
  {
    type: 'gauge',
    name: 'upstreams',
    help: 'Upstreams, by state',
    labels: ['state'],
    samples: (s) => UPSTREAM_STATES.map((state): Sample => [{ state }, sum(s, (u) => Number(u.state === state))]),
  },
  gauge('streams', 'RTMP streams', (s) => sum(s, (u) => Object.keys(u.streams).length)),
  tracks('tracks', 'Tracks', () => 1),
  tracks('inputs', 'Tracks with a KMP connection', (track) => (track.input === null ? 0 : 1)),
  tracks('pending_frames', 'Frames that wait in the queue', (track) => track.pending_frames),
  gauge('memory_used_bytes', 'Memory charged to upstreams', (s) => sum(s, memoryUsed)),
];

/** Metrics of each upstream; label: upstream. */
export const UPSTREAM_METRICS: readonly SingleValueMetric<UpstreamStatus>[] = [
  { type: 'gauge', name: 'uptime_seconds', help: 'Time since the upstream was created', value: (u) => u.uptime },
  { type: 'gauge', name: 'memory_used_bytes', help: 'Memory charged to the upstream', value: memoryUsed },
  { type: 'gauge', name: 'memory_limit_bytes', help: 'Memory limit of the upstream', value: (u) => u.mem_limit },
  { type: 'counter', name: 'written_bytes_total', help: 'Bytes written to the queue', value: (u) => u.written_bytes },
  { type: 'counter', name: 'sent_bytes_total', help: 'Bytes sent to the server', value: (u) => u.sent_bytes },
  {
    type: 'counter',
    name: 'received_bytes_total',
    help: 'Bytes received from the server',
    value: (u) => u.received_bytes,
  },
  {
    type: 'counter',
    name: 'acked_bytes_total',
    help: 'Bytes that the server has acknowledged',
    value: (u) => u.acked_bytes,
  },
  {
    type: 'gauge',
    name: 'lag_seconds',
    help: 'Age of the oldest frame that the server has not taken',
    value: (u) => u.lag_ms / 1000,
  },
  { type: 'counter', name: 'reconnects_total', help: 'Reconnects', value: (u) => u.reconnects },
  {
    type: 'gauge',
    name: 'destination',
    help: 'Destination that is in use, or tried: 0 is the primary one, 1 and more are backups',
    value: (u) => u.destination,
  },
  {
    type: 'counter',
    name: 'failovers_total',
    help: 'How often another destination was taken into use',
    value: (u) => u.failovers,
  },
  {
    type: 'gauge',
    name: 'next_attempt_seconds',
    help: 'Time until the next attempt to connect; 0 if none is waited for',
    value: (u) => u.next_attempt ?? 0,
  },
];

/** Metrics of each track; labels: upstream, stream, media. */
export const TRACK_METRICS: readonly SingleValueMetric<TrackStatus>[] = [
  {
    type: 'gauge',
    name: 'connected',
    help: '1 if the track has a KMP connection, else 0',
    value: (t) => (t.input ? 1 : 0),
  },
  {
    type: 'gauge',
    name: 'input_lost_seconds',
    help: 'Time for which media is missing',
    value: (t) => t.input_lost ?? 0,
  },
  { type: 'gauge', name: 'pending_frames', help: 'Frames that wait in the queue', value: (t) => t.pending_frames },
  { type: 'gauge', name: 'memory_used_bytes', help: 'Memory of the pending frames', value: (t) => t.mem_used },
  {
    type: 'gauge',
    name: 'delay_seconds',
    help: 'Time that the last frame spent in the service',
    value: (t) => t.delay / 1000,
  },
  {
    type: 'gauge',
    name: 'lag_seconds',
    help: 'Age of the oldest frame of the track that the server has not taken',
    value: (t) => t.lag_ms / 1000,
  },
  { type: 'counter', name: 'sent_frames_total', help: 'Frames written', value: (t) => t.sent_frames },
  { type: 'counter', name: 'sent_bytes_total', help: 'Payload bytes written', value: (t) => t.sent_data_bytes },
  { type: 'counter', name: 'resent_frames_total', help: 'Frames written again', value: (t) => t.resent_frames },
  {
    type: 'counter',
    name: 'dropped_frames_total',
    help: 'Frames dropped: the server was too slow, or they came before a key frame or after a slate',
    value: (t) => t.dropped_frames,
  },
  {
    type: 'counter',
    name: 'slate_frames_total',
    help: 'Frames of the slate, written in the place of missing media',
    value: (t) => t.slate_frames,
  },
  {
    type: 'counter',
    name: 'received_frames_total',
    help: 'Frames received on the current KMP connection',
    value: (t) => t.input?.received_frames ?? 0,
  },
  {
    type: 'counter',
    name: 'skipped_frames_total',
    help: 'Frames of the current KMP connection that were skipped',
    value: (t) => Object.values(t.input?.skipped_frames ?? {}).reduce((total, n) => total + n, 0),
  },
];

function counter(name: string, help: string, value: (totals: ServiceTotals) => number): SampledMetric<ServiceTotals> {
  return { type: 'counter', name, help, labels: [], samples: (totals) => [[{}, value(totals)]] };
}

/** A counter with one sample for each name of a table. */
function counters(
  name: string,
  help: string,
  label: string,
  table: (totals: ServiceTotals) => Readonly<Record<string, number>>,
): SampledMetric<ServiceTotals> {
  const samples = (totals: ServiceTotals): Sample[] =>
    Object.entries(table(totals)).map(([one, value]) => [{ [label]: one }, value]);
  return { type: 'counter', name, help, labels: [label], samples };
}

function gauge(name: string, help: string, value: (status: GlobalStatus) => number): SampledMetric<GlobalStatus> {
  return { type: 'gauge', name, help, labels: [], samples: (status) => [[{}, value(status)]] };
}

function frames(which: keyof ServiceTotals['frames']['video'], help: string): SampledMetric<ServiceTotals> {
  return {
    type: 'counter',
    name: `${which}_frames_total`,
    help,
    labels: ['media'],
    samples: (totals) => MEDIA.map((media): Sample => [{ media }, totals.frames[media][which]]),
  };
}

function tracks(name: string, help: string, value: (track: TrackStatus) => number): SampledMetric<GlobalStatus> {
  const of = (upstream: UpstreamStatus, media: (typeof MEDIA)[number]): number =>
    Object.values(upstream.streams).reduce((total, { tracks: { [media]: track } }) => {
      return total + (track ? value(track) : 0);
    }, 0);
  return {
    type: 'gauge',
    name,
    help,
    labels: ['media'],
    samples: (status) => MEDIA.map((media): Sample => [{ media }, sum(status, (upstream) => of(upstream, media))]),
  };
}

function sum(status: GlobalStatus, value: (upstream: UpstreamStatus) => number): number {
  return Object.values(status.upstreams).reduce((total, upstream) => total + value(upstream), 0);
}

function memoryUsed(upstream: UpstreamStatus): number {
  return upstream.mem_limit - upstream.mem_left;
}
