import { UPSTREAM_EVENTS } from '../../base/upstream-events.js';
import { header } from '../header.js';
import { repeatable, row, type Context } from '../row.js';
import { choices, msec, path, secret, size, msecFromOne, url } from '../types.js';

const contexts: readonly Context[] = ['stream', 'stream server'];

/** Directives for notifications: when, where to, and how they are delivered. */
export const notificationDirectives = {
  kmp_rtmp_out_notif_url: row(url, '', {
    contexts,
    doc: `URL that notifications are posted to, as JSON. Without a scheme, http:// is added. If empty, no notification
      is sent.`,
    example: 'kmp_rtmp_out_notif_url http://127.0.0.1:8080/events;',
  }),
  kmp_rtmp_out_notif_events: row(choices(...UPSTREAM_EVENTS), 'rtmp_close', {
    contexts,
    doc: `Events that cause a notification. rtmp_close: the end of an upstream. rtmp_reconnect: its connection is opened
      again. publish_start, publish_end, publish_failed: the server publishes a stream, does not any more, or refuses
      it. input_lost, input_back: the media of senders is missing while the destination is kept, and arrives again.
      degraded, recovered: viewers get less than they should or later, and then not any more. failover: another
      destination is used. See docs/notifications.md.`,
    example: 'kmp_rtmp_out_notif_events rtmp_close publish_start publish_failed;',
  }),
  kmp_rtmp_out_notif_retry: row(msec, '5m', {
    contexts,
    doc: `Time for which a notification that could not be delivered is sent again: after 1 s, 2 s, 4 s and so on, up to
      30 s. Later notifications of the same upstream wait for it, so that they arrive in order. Answers with a status of
      3xx or 4xx are final, except 408, 425 and 429. 0: each notification is sent once, as in the nginx module.`,
    example: 'kmp_rtmp_out_notif_retry 10m;',
  }),
  kmp_rtmp_out_notif_secret: row(secret, '', {
    contexts,
    doc: `Secret that notifications are signed with (HMAC-SHA256), so that a receiver can check that they come from this
      service. See docs/notifications.md. If empty, notifications are not signed. A secret of less than 8 characters causes a
      warning.`,
    example: 'kmp_rtmp_out_notif_secret "at least 32 random characters";',
  }),
  kmp_rtmp_out_notif_secret_file: row(path, '', {
    contexts,
    doc: `File that contains the secret of kmp_rtmp_out_notif_secret; spaces and line breaks at its end do not belong to
      it. It is read for each request, so a new secret is used at once. If both directives are present, the file is
      used. While the file cannot be read, no notification is sent.`,
    example: 'kmp_rtmp_out_notif_secret_file /run/secrets/notifications;',
  }),
  kmp_rtmp_out_notif_add_header: repeatable(header, {
    contexts,
    doc: `Header that is added to notification requests. May be repeated. Headers of an outer block are inherited only
      if the inner block has none.`,
    example: 'kmp_rtmp_out_notif_add_header X-Source kmp-rtmp;',
  }),
  kmp_rtmp_out_notif_timeout: row(msecFromOne, '2s', {
    contexts,
    doc: `Maximum time for connecting to the notification URL and sending the request.`,
  }),
  kmp_rtmp_out_notif_read_timeout: row(msecFromOne, '20s', {
    contexts,
    doc: `Maximum time for reading the response to a notification.`,
  }),
  kmp_rtmp_out_notif_buffer_size: row(size(1, 16 * 2 ** 20), '4k', {
    contexts,
    doc: `Maximum number of bytes that are read of the response to a notification.`,
  }),
} as const;
