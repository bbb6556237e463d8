import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import fetch, { Headers } from 'node-fetch';
import type { Clock, Timer } from '../../time/clock.js';
import { KmpRtmpError, messageOf } from '../../base/errors.js';
import { version } from '../../base/version.js';
import type { NotificationSettings } from './notification.js';

/** A notification that failed. The message never shows the target's URL, which may hold a secret. */
export class NotificationError extends KmpRtmpError {}

/**
 * Posts one notification and waits for the answer. At most `outNotifBufferSize` bytes of the answer are read. Redirects
 * are not followed, because the answer of a target must not decide where stream keys are sent.
 *
 * @returns the status of the answer, 200..299
 * @throws NotificationError
 */
export async function postNotification(
  body: Buffer,
  settings: NotificationSettings,
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  const request = new Timeouts(body.length, settings, clock, signal);
  try {
    const { url, headers } = addressed(settings);
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      // Without decompression, the bytes read are the bytes sent, so the limit applies to both.
      compress: false,
      agent: request.agent(url),
      signal: request.signal,
    });
    request.answered();
    // Only the status matters. The rest is read, up to the limit, so that the target can finish its answer.
    let left = settings.outNotifBufferSize;
    if (response.body !== null) {
      for await (const chunk of response.body) {
        left -= chunk.length;
        if (left < 0) break;
        request.answered();
      }
    }
    if (response.status < 200 || response.status > 299) {
      throw new NotificationError('NOTIFICATION_REFUSED', `the target answered with HTTP status ${response.status}`);
    }
    return response.status;
  } catch (error) {
    throw request.failure ?? (error instanceof NotificationError ? error : failureOf(error));
  } finally {
    request.close();
  }
}

/** node-fetch rejects a URL with user and password; they are sent in the `Authorization` header instead. */
function addressed(settings: NotificationSettings): { url: URL; headers: Headers } {
  const url = new URL(settings.outNotifUrl);
  const headers = new Headers();
  for (const { name, value } of settings.outNotifAddHeader) headers.append(name, value);
  if (!headers.has('Content-Type')) headers.set('Content-Type', 'application/json');
  if (!headers.has('User-Agent')) headers.set('User-Agent', `kmp-rtmp/${version}`);
  if (url.username !== '' || url.password !== '') {
    if (!headers.has('Authorization')) headers.set('Authorization', basic(url));
    url.username = '';
    url.password = '';
  }
  return { url, headers };
}

function basic({ username, password }: URL): string {
  const credentials = [username, password].map((part) => unescape(part)).join(':');
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The text of fetch's own errors contains the URL, so only the system's message is passed on. */
function failureOf(error: unknown): NotificationError {
  const text = messageOf(error);
  const reason = text.indexOf('reason: ');
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const systemText = reason < 0 ? '' : text.slice(reason + 'reason: '.length);
  const why = systemText === '' ? code || 'the request could not be made' : systemText;
  return new NotificationError('NOTIFICATION_FAILED', `sending failed: ${why}`, { cause: error });
}

/**
 * The two time limits of a request: first, to connect and pass the whole request to the kernel; then, between two reads
 * of the answer. fetch does not report when a request is sent, so this looks at its socket.
 */
class Timeouts {
  failure: NotificationError | undefined;
  private readonly abort = new AbortController();
  private socket: Socket | undefined;
  private timer: Timer;
  private sent = false;

  constructor(
    private readonly size: number,
    private readonly settings: NotificationSettings,
    private readonly clock: Clock,
    private readonly cancelSignal: AbortSignal,
  ) {
    this.timer = clock.after(settings.outNotifTimeout, this.sendExpired);
    if (cancelSignal.aborted) this.onCancel();
    else cancelSignal.addEventListener('abort', this.onCancel, { once: true });
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Each request has a new connection: requests are too rare to keep connections open. */
  agent(url: URL): http.Agent {
    const secure = url.protocol === 'https:';
    const agent = secure ? new https.Agent() : new http.Agent();
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (options, callback) => {
      const socket = connect(options, callback) as Socket;
      this.socket = socket;
      // The request was written before the connection was established, and is sent as soon as it is.
      socket.once(secure ? 'secureConnect' : 'connect', () => setImmediate(() => this.check()));
      socket.on('drain', () => this.check());
      return socket;
    };
    return agent;
  }

  /** The answer has begun. */
  answered(): void {
    this.sent = true;
    this.startRead();
  }

  close(): void {
    this.timer.cancel();
    this.cancelSignal.removeEventListener('abort', this.onCancel);
    // If the answer is longer than the limit, or a timeout has cut it off, the connection is of no further use.
    this.socket?.destroy();
  }

  private check(): void {
    if (this.sent || !this.allTaken()) return;
    this.sent = true;
    this.startRead();
  }

  private allTaken(): boolean {
    const { socket } = this;
    if (socket === undefined || socket.connecting || socket.destroyed) return false;
    // bytesWritten includes bytes that are still queued. Because of the headers, it is more than the body when all is
    // sent.
    return socket.writableLength === 0 && socket.bytesWritten > this.size;
  }

  private startRead(): void {
    if (this.failure !== undefined) return;
    this.timer.cancel();
    const { outNotifReadTimeout } = this.settings;
    this.timer = this.clock.after(outNotifReadTimeout, () =>
      this.fail(`no answer within ${outNotifReadTimeout} ms (kmp_rtmp_out_notif_read_timeout)`),
    );
  }

  private readonly sendExpired = (): void => {
    this.check();
    if (this.sent) return;
    const { outNotifTimeout } = this.settings;
    const what = this.socket === undefined || this.socket.connecting ? 'no connection' : 'the request was not sent';
    this.fail(`${what} within ${outNotifTimeout} ms (kmp_rtmp_out_notif_timeout)`);
  };

  private readonly onCancel = (): void => this.fail('cancelled because the service is stopping');

  private fail(message: string): void {
    this.failure ??= new NotificationError('NOTIFICATION_FAILED', message);
    this.abort.abort();
  }
}
