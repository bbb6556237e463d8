import type { ClosedUpstream } from '../../upstream/report/closed.js';
import type {
  DegradedStatus,
  ElsewhereStatus,
  InputStatus,
  LastError,
  LastStatus,
  LatencyStatus,
  MediaStatus,
  OutageStatus,
  StreamStatus,
  TrackStatus,
  UpstreamStatus,
} from '../../upstream/report/status.js';
import { fit, isObject, type Shape, type ShapeOf } from './shape.js';

/** An upstream of another node; undefined if it is none. */
export function upstreamFrom(value: unknown): UpstreamStatus | undefined {
  return isObject(value) ? (fit(UPSTREAM, value) as UpstreamStatus) : undefined;
}

/** The record of an upstream of another node that has ended; undefined if it is none. */
export function closedFrom(value: unknown): ClosedUpstream | undefined {
  return isObject(value) ? (fit(CLOSED, value) as ClosedUpstream) : undefined;
}

const of = <T>(fields: ShapeOf<T>): Shape => ({ fields });
const nullable = (shape: Shape): Shape => ({ nullable: shape });
const optional = (shape: Shape): Shape => ({ optional: shape });

const LAST_STATUS = of<LastStatus>({ level: 'string', code: 'string', description: 'string' });

const INPUT = of<InputStatus>({
  connection: 'number',
  remote_addr: 'string',
  channel_id: 'string',
  track_id: 'string',
  uptime: 'number',
  received_bytes: 'number',
  received_data_bytes: 'number',
  received_frames: 'number',
  received_key_frames: 'number',
  last_created: 'number',
  skipped_frames: of<InputStatus['skipped_frames']>({
    duplicate: 'number',
    empty: 'number',
    empty_duration: 'number',
    no_media_info: 'number',
    no_key: 'number',
  }),
  latency: nullable(of<LatencyStatus>({ min: 'number', max: 'number', avg: 'number' })),
});

const MEDIA = of<MediaStatus>({
  bitrate: 'number',
  width: optional('number'),
  height: optional('number'),
  frame_rate: optional('number'),
  key_frame_interval: optional(nullable('number')),
  channels: optional('number'),
  sample_rate: optional('number'),
});

const TRACK = of<TrackStatus>({
  pending_frames: 'number',
  mem_used: 'number',
  input: nullable(INPUT),
  codec: 'string',
  media: MEDIA,
  sent_frames: 'number',
  sent_data_bytes: 'number',
  resent_frames: 'number',
  dropped_frames: 'number',
  slate_frames: 'number',
  slate: 'boolean',
  delay: 'number',
  input_lost: nullable('number'),
  lag_ms: 'number',
});

const STREAM = of<StreamStatus>({
  id: 'number',
  uptime: 'number',
  tracks: { fields: { video: optional(TRACK), audio: optional(TRACK) } },
});

const UPSTREAM = of<UpstreamStatus>({
  url: 'string',
  header: 'string',
  opaque: 'string',
  remote_addr: 'string',
  local_addr: 'string',
  connection: 'number',
  mem_limit: 'number',
  mem_left: 'number',
  written_bytes: 'number',
  sent_bytes: 'number',
  received_bytes: 'number',
  streams: { map: STREAM },
  state: 'string',
  last_status: nullable(LAST_STATUS),
  input_stalled: nullable('number'),
  acked_bytes: 'number',
  degraded: nullable(
    of<DegradedStatus>({ reason: 'string', message: 'string', age: 'number', dropped_frames: 'number' }),
  ),
  lag_ms: 'number',
  outage: nullable(of<OutageStatus>({ since: 'string', attempts: 'number' })),
  reconnects: 'number',
  destination: 'number',
  destinations: 'number',
  destination_url: 'string',
  elsewhere: nullable(of<ElsewhereStatus>({ url: 'string', backup_urls: { list: 'string' }, since: 'string' })),
  failovers: 'number',
  uptime: 'number',
  last_error: nullable(of<LastError>({ reason: 'string', message: 'string', age: 'number' })),
  last_error_at: nullable('string'),
  last_error_layer: nullable('string'),
  last_error_advice: 'string',
  next_attempt: nullable('number'),
  next_attempt_at: nullable('string'),
  node: optional('string'),
  also_on: optional({ list: 'string' }),
});

const CLOSED = of<ClosedUpstream>({
  id: 'number',
  upstream_id: 'string',
  url: 'string',
  reason: 'string',
  message: 'string',
  advice: 'string',
  layer: nullable('string'),
  failed: 'boolean',
  last_status: nullable(LAST_STATUS),
  started_at: 'string',
  since: 'string',
  closed_at: 'string',
  attempts: 'number',
  count: 'number',
  connection: 'number',
  lost: of<ClosedUpstream['lost']>({ dropped_frames: 'number', unacked_frames: 'number' }),
  live_again_at: nullable('string'),
  node: optional('string'),
});
