import { createHmac } from 'node:crypto';
import { hasFixedForm, type NotificationBody } from './notification.js';

/** What makes a notification recognizable. It is the same in all attempts. */
export interface NotificationIdentity {
  /** A UUID. */
  readonly id: string;
  /** The time of the event, ISO 8601 in UTC, with ms. */
  readonly time: string;
  /** 1 for the first notification of the upstream, then 2, 3 and so on, without a gap. */
  readonly sequence: number;
  /** Number of the upstream, as `connection` in the API. Sequence numbers belong to it. */
  readonly connection: number;
}

/** The parts of a request that belong to one attempt. */
export interface NotificationRequest {
  readonly id: string;
  readonly body: Buffer;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * A notification in the form in which it is sent (docs/notifications.md). The headers identify all notifications. The
 * body does so as well, except for the events with a fixed form.
 */
export class NotificationMessage {
  /** Bytes that it holds. */
  readonly size: number;
  private readonly text: string;
  private readonly fixed: boolean;

  constructor(
    body: NotificationBody,
    private readonly identity: NotificationIdentity,
  ) {
    this.fixed = hasFixedForm(body.event_type);
    const { connection, id, time, sequence } = identity;
    const text = JSON.stringify(this.fixed ? body : { ...body, connection, id, time, sequence });
    this.text = this.fixed ? text : text.slice(0, -1);
    this.size = Buffer.byteLength(this.text);
  }

  /** @param attempt 1 for the first one */
  request(attempt: number): NotificationRequest {
    const { id, time, sequence, connection } = this.identity;
    return {
      id,
      body: Buffer.from(this.fixed ? this.text : `${this.text},"attempt":${attempt}}`),
      headers: [
        ['X-Kmp-Rtmp-Id', id],
        ['X-Kmp-Rtmp-Time', time],
        ['X-Kmp-Rtmp-Connection', `${connection}`],
        ['X-Kmp-Rtmp-Sequence', `${sequence}`],
        ['X-Kmp-Rtmp-Attempt', `${attempt}`],
      ],
    };
  }
}

/**
 * The headers that show who sent a request, and when. The signature covers the id and the time of sending as well, so
 * that a recorded request cannot be used later, or with another id.
 *
 * @param timestamp s since 1970
 */
export function signatureHeaders(
  secret: string,
  { id, body }: NotificationRequest,
  timestamp: number,
): NotificationRequest['headers'] {
  const hmac = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('hex');
  return [
    ['X-Kmp-Rtmp-Timestamp', `${timestamp}`],
    ['X-Kmp-Rtmp-Signature', `sha256=${hmac}`],
  ];
}
