import type { GlobalStatus, TrackStatus, UpstreamState, UpstreamStatus } from '../upstream/report/status.js';
import type { ServiceTotals } from './service-counters.js';

/** A value under its labels. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface Metric {
  readonly type: 'counter' | 'gauge';
  /** Without the `kmp_rtmp_` in front. */
  readonly name: string;
  readonly help: string;
}

/** A metric whose samples come from `From`. */
export interface Samples<From> extends Metric {
  readonly labels: readonly string[];
  readonly samples: (from: From) => readonly Sample[];
}

/** A metric with one value for each `From`. */
export interface Value<From> extends Metric {
  readonly value: (from: From) => number;
}

const STATES: readonly UpstreamState[] = [
  'resolving',
  'connecting',
  'handshaking',
  'publishing',
  'reconnecting',
  'closing',
];
const MEDIA = ['video', 'audio'] as const;

/** Since the start, over the living and the ended. */
export const TOTALS: readonly Samples<ServiceTotals>[] = [
  counter('input_bytes_total', 'Bytes received from KMP senders', (t) => t.input_bytes),
  counter('written_bytes_total', 'Bytes written to the queues towards RTMP servers', (t) => t.written_bytes),
  counter('sent_bytes_total', 'Bytes sent to RTMP servers', (t) => t.sent_bytes),
  counter('received_bytes_total', 'Bytes received from RTMP servers', (t) => t.received_bytes),
  counter('acked_bytes_total', 'Bytes that RTMP servers say they have read', (t) => t.acked_bytes),
  counter('reconnects_total', 'RTMP connections made anew', (t) => t.reconnects),
  frames('received', 'Frames received from KMP senders'),
  frames('sent', 'Frames written to RTMP servers'),
  frames('resent', 'Frames written to RTMP servers once more after a break'),
  frames('dropped', 'Frames dropped because an RTMP server took too little'),
  frames('skipped', 'Frames that did not count: duplicate, empty, without media info, ahead of a key frame'),
  {
    type: 'counter',
    name: 'closed_upstreams_total',
    help: 'Upstreams that have ended, by reason',
    labels: ['reason'],
    samples: (t) => Object.entries(t.closed_upstreams).map(([reason, n]): Sample => [{ reason }, n]),
  },
  {
    type: 'counter',
    name: 'input_connections_total',
    help: 'KMP connections, by whether they were let in',
    labels: ['result'],
    samples: ({ kmp_connections: { accepted, refused } }) => [
      [{ result: 'accepted' }, accepted],
      [{ result: 'refused' }, refused],
    ],
  },
  {
    type: 'counter',
    name: 'notifications_total',
    help: 'HTTP notifications, by whether they were delivered',
    labels: ['result'],
    samples: ({ notifications: { sent, failed } }) => [
      [{ result: 'sent' }, sent],
      [{ result: 'failed' }, failed],
    ],
  },
];

/** Of this moment, over all upstreams. */
export const NOW: readonly Samples<GlobalStatus>[] = [
  {
    type: 'gauge',
    name: 'build_info',
    help: 'Always 1; the versions are in the labels',
    labels: ['version', 'runtime', 'compiler'],
    samples: (s) => [[{ version: s.version, runtime: s.nginx_version, compiler: s.compiler }, 1]],
  },
  { type: 'gauge', name: 'uptime_seconds', help: 'Time since the start', labels: [], samples: (s) => [[{}, s.uptime]] },
  {
    type: 'gauge',
    name: 'upstreams',
    help: 'Upstreams, by state',
    labels: ['state'],
    samples: (s) => STATES.map((state): Sample => [{ state }, sum(s, (u) => Number(u.state === state))]),
  },
  {
    type: 'gauge',
    name: 'streams',
    help: 'RTMP streams',
    labels: [],
    samples: (s) => [[{}, sum(s, (u) => Object.keys(u.streams).length)]],
  },
  tracks('tracks', 'Tracks', () => 1),
  tracks('inputs', 'Tracks that have a KMP connection', (track) => (track.input === null ? 0 : 1)),
  tracks('pending_frames', 'Frames that wait to be merged', (track) => track.pending_frames),
  {
    type: 'gauge',
    name: 'memory_used_bytes',
    help: 'Memory charged to upstreams',
    labels: [],
    samples: (s) => [[{}, sum(s, memoryUsed)]],
  },
];

/** Of each upstream; label: upstream. */
export const UPSTREAM: readonly Value<UpstreamStatus>[] = [
  { type: 'gauge', name: 'uptime_seconds', help: 'Time since the upstream was made', value: (u) => u.uptime },
  { type: 'gauge', name: 'memory_used_bytes', help: 'Memory charged to the upstream', value: memoryUsed },
  { type: 'gauge', name: 'memory_limit_bytes', help: 'Memory the upstream may hold', value: (u) => u.mem_limit },
  { type: 'counter', name: 'written_bytes_total', help: 'Bytes written to the queue', value: (u) => u.written_bytes },
  { type: 'counter', name: 'sent_bytes_total', help: 'Bytes sent to the server', value: (u) => u.sent_bytes },
  { type: 'counter', name: 'received_bytes_total', help: 'Bytes the server sent', value: (u) => u.received_bytes },
  {
    type: 'counter',
    name: 'acked_bytes_total',
    help: 'Bytes the server says it has read',
    value: (u) => u.acked_bytes,
  },
  { type: 'counter', name: 'reconnects_total', help: 'Connections made anew', value: (u) => u.reconnects },
];

/** Of each track; labels: upstream, stream, media. */
export const TRACK: readonly Value<TrackStatus>[] = [
  { type: 'gauge', name: 'connected', help: '1 if it has a KMP connection, else 0', value: (t) => (t.input ? 1 : 0) },
  { type: 'gauge', name: 'pending_frames', help: 'Frames that wait to be merged', value: (t) => t.pending_frames },
  { type: 'gauge', name: 'memory_used_bytes', help: 'Memory of the waiting frames', value: (t) => t.mem_used },
  { type: 'gauge', name: 'delay_seconds', help: 'Time the last frame spent here', value: (t) => t.delay / 1000 },
  { type: 'counter', name: 'sent_frames_total', help: 'Frames written', value: (t) => t.sent_frames },
  { type: 'counter', name: 'sent_bytes_total', help: 'Payload bytes written', value: (t) => t.sent_data_bytes },
  { type: 'counter', name: 'resent_frames_total', help: 'Frames written once more', value: (t) => t.resent_frames },
  {
    type: 'counter',
    name: 'dropped_frames_total',
    help: 'Frames dropped because the server took too little',
    value: (t) => t.dropped_frames,
  },
  {
    type: 'counter',
    name: 'received_frames_total',
    help: 'Frames received on the present KMP connection',
    value: (t) => t.input?.received_frames ?? 0,
  },
  {
    type: 'counter',
    name: 'skipped_frames_total',
    help: 'Frames of the present KMP connection that did not count',
    value: (t) => Object.values(t.input?.skipped_frames ?? {}).reduce((total, n) => total + n, 0),
  },
];

function counter(name: string, help: string, value: (totals: ServiceTotals) => number): Samples<ServiceTotals> {
  return { type: 'counter', name, help, labels: [], samples: (totals) => [[{}, value(totals)]] };
}

function frames(which: keyof ServiceTotals['frames']['video'], help: string): Samples<ServiceTotals> {
  return {
    type: 'counter',
    name: `${which}_frames_total`,
    help,
    labels: ['media'],
    samples: (totals) => MEDIA.map((media): Sample => [{ media }, totals.frames[media][which]]),
  };
}

function tracks(name: string, help: string, value: (track: TrackStatus) => number): Samples<GlobalStatus> {
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
