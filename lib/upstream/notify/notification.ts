import type { MediaSettings } from '../../config/settings.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import type { NotificationReason } from '../report/close-reason.js';
import type { LastStatus } from '../report/status.js';

/** What is notified of; `kmp_rtmp_out_notif_events` chooses. */
export type NotificationType = MediaSettings['outNotifEvents'][number];

/** The settings that say whether, where and how a notification goes out. */
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
 * The body of a notification: first the fields that are documented, in their order (spec/module.md,
 * kmp_rtmp_out_notif_url), then ours.
 */
export interface NotificationBody {
  readonly event_type: NotificationType;
  /** Why the upstream ended, or its connection is made anew. */
  readonly reason: NotificationReason;
  readonly upstream_id: string;
  /** As given by the sender, with the stream key. */
  readonly url: string;
  readonly header: string;
  readonly opaque: string;
  /** The error that the server told last; absent if there was none. */
  readonly status?: LastStatus;
}

/** What a notification tells of. An Upstream is one. */
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
