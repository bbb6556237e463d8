import type { Logger, LogLevel } from '../../base/logger.js';
import { maskKey } from '../../base/mask.js';
import type { UpstreamEventType } from '../../base/upstream-events.js';
import type { UpstreamEvent } from '../report/upstream-event.js';

/** The level of the log line of an event. Without a level, the code that reports the event writes the line. */
const LEVELS: Readonly<Record<UpstreamEventType, LogLevel | undefined>> = {
  rtmp_close: undefined,
  rtmp_reconnect: undefined,
  publish_start: 'info',
  publish_end: 'info',
  // Either the next attempt or the end of the upstream has its own line, with the same words.
  publish_failed: 'debug',
  input_lost: 'warn',
  input_back: 'info',
  degraded: 'warn',
  recovered: 'info',
  failover: 'warn',
};

/** Writes the log line of an event. */
export function logEvent(log: Logger, event: UpstreamEvent): void {
  const { type, message, ...fields } = event;
  const level = LEVELS[type];
  if (level === undefined || log.isEnabled?.(level) === false) return;
  const stream = 'stream' in fields && fields.stream !== undefined ? { stream: maskKey(fields.stream) } : {};
  log[level](`${type}: ${message}`, { ...fields, ...stream });
}
