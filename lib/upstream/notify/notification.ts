import type { MediaSettings } from '../../config/settings.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { LastStatus } from '../report/status.js';
import type { UpstreamEventType } from '../../base/upstream-events.js';
import type { UpstreamEvent } from '../report/upstream-event.js';

/** The settings that decide whether, where and how a notification is sent. */
export type NotificationSettings = Pick<
  MediaSettings,
  | 'outNotifUrl'
  | 'outNotifEvents'
  | 'outNotifAddHeader'
  | 'outNotifTimeout'
  | 'outNotifReadTimeout'
  | 'outNotifBufferSize'
  | 'outNotifRetry'
  | 'outNotifSecret'
  | 'outNotifSecretFile'
>;

/**
 * The body of a notification: the fields of the module in their order (docs/protocol/behaviour.md, Notifications), then
 * additional ones. Events of the module have no others than these.
 */
export interface NotificationBody {
  readonly event_type: UpstreamEventType;
  /** Why; for the events of the module, why the upstream ended or why its connection is opened again. */
  readonly reason: UpstreamEvent['reason'];
  readonly upstream_id: string;
  /** As given by the sender, with the stream key. */
  readonly url: string;
  readonly header: string;
  readonly opaque: string;
  /** The last error that the server sent; absent if there was none. */
  readonly status?: LastStatus;
  /** The fields of the event itself; absent for the events of the module. */
  readonly message?: string;
  readonly [detail: string]: unknown;
}

/** What a notification is about. An Upstream is one. */
export interface NotificationSource {
  readonly id: string;
  readonly data: Pick<ConnectData, 'url' | 'header' | 'opaque'>;
  readonly serverStatus: LastStatus | null;
}

/**
 * Whether the body of such an event has a fixed form, which receivers may depend on. That are the events from before
 * there were others.
 */
export function hasFixedForm(type: UpstreamEventType): boolean {
  return type === 'rtmp_close' || type === 'rtmp_reconnect';
}

export function notificationOf(event: UpstreamEvent, { id, data, serverStatus }: NotificationSource): NotificationBody {
  const { type, reason, ...details } = event;
  return {
    event_type: type,
    reason,
    upstream_id: id,
    url: data.url,
    header: data.header ?? '',
    opaque: data.opaque ?? '',
    ...(serverStatus?.level === 'error' ? { status: serverStatus } : {}),
    ...(hasFixedForm(type) ? {} : details),
  };
}
