import { messageOf } from '../../base/errors.js';
import { PublishError } from '../../rtmp/publish-error.js';

/**
 * Why an upstream ended (docs/protocol/behaviour.md, Close reasons): the values of the module, then additional ones.
 */
export const CLOSE_REASONS = [
  'done',
  'api_delete',
  'start_resolve_failed',
  'resolve_failed',
  'handshake_failed',
  'send_failed',
  'recv_failed',
  'get_buf_failed',
  'alloc_chain_failed',
  'add_media_info_failed',
  'start_connect_failed',
  'alloc_failed',
  'flush_failed',
  'create_stream_failed',
  'unpublish_stream_failed',
  'write_connect_failed',
  'write_meta_failed',
  'create_track_failed',
  'mem_limit_exceeded',
  'push_frame_failed',
  'process_frame_failed',
  // Additions of this service.
  'connect_rejected',
  'publish_rejected',
  'stream_id_mismatch',
  'input_timeout',
  'shutdown',
  'fleet_moved',
] as const;

export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Reasons with which an upstream ends in order, or because someone ended it. */
export const IN_ORDER: ReadonlySet<string> = new Set<CloseReason>(['done', 'api_delete', 'shutdown', 'fleet_moved']);

/** Why a connection is replaced: the reason for which the upstream would otherwise end, or a request of the server. */
export type NotificationReason = CloseReason | 'reconnect_request';

const byStage = {
  start_resolve: 'start_resolve_failed',
  resolve: 'resolve_failed',
  start_connect: 'start_connect_failed',
  handshake: 'handshake_failed',
  send: 'send_failed',
  recv: 'recv_failed',
  connect_rejected: 'connect_rejected',
  publish_rejected: 'publish_rejected',
  stream_id: 'stream_id_mismatch',
} as const;

/** The close reason for an upstream whose connection failed with `error`. */
export function reasonOf(error: unknown): CloseReason {
  return error instanceof PublishError ? byStage[error.stage] : 'send_failed';
}

/** Errors of these stages are those of an attempt to connect. */
const BEFORE_CONNECTION: ReadonlySet<string> = new Set(['start_resolve', 'resolve', 'start_connect', 'handshake']);

/** A text for the log about a connection that is lost, or that was never made. */
export function connectionText(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof PublishError) || !BEFORE_CONNECTION.has(error.stage))
    return `RTMP connection broken: ${message}`;
  const [, address] = /^could not connect: (.+)$/s.exec(message) ?? [];
  return address === undefined ? `RTMP: cannot connect: ${message}` : `RTMP: cannot connect to ${address}`;
}
