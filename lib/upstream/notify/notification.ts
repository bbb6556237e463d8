import type { MediaSettings } from '../../config/settings.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { NotificationReason } from '../report/close-reason.js';
import type { LastStatus } from '../report/status.js';

/** The events that can be notified; `kmp_rtmp_out_notif_events` selects them. */
export type NotificationType = MediaSettings['outNotifEvents'][number];

/** The settings that decide whether, where and how a notification is sent. */
export type NotificationSettings = Pick<
  MediaSettings,
  | 'outNotifUrl'
  | 'outNotifEvents'
  | 'outNotifAddHeader'
  | 'outNotifTimeout'
  | 'outNotifReadTimeout'
  | 'outNotifBufferSize'
>;

/**
 * The body of a notification: the fields of the module in their order (docs/protocol/behaviour.md, Notifications), then
 * additional ones.
 */
export interface NotificationBody {
  readonly event_type: NotificationType;
  /** Why the upstream ended, or why its connection is opened again. */
  readonly reason: NotificationReason;
  readonly upstream_id: string;
  /** As given by the sender, with the stream key. */
  readonly url: string;
  readonly header: string;
  readonly opaque: string;
  /** The last error that the server sent; absent if there was none. */
  readonly status?: LastStatus;
}

/** What a notification is about. An Upstream is one. */
export interface NotificationSource {
  readonly id: string;
  readonly data: Pick<ConnectData, 'url' | 'header' | 'opaque'>;
  readonly serverStatus: LastStatus | null;
}

export function notificationOf(
  type: NotificationType,
  reason: NotificationReason,
  { id, data, serverStatus }: NotificationSource,
): NotificationBody {
  return {
    event_type: type,
    reason,
    upstream_id: id,
    url: data.url,
    header: data.header ?? '',
    opaque: data.opaque ?? '',
    ...(serverStatus?.level === 'error' ? { status: serverStatus } : {}),
  };
}
