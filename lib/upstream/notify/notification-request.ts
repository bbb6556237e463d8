import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import fetch, { Headers } from 'node-fetch';
import type { Clock, Timer } from '../../time/clock.js';
import { fileErrorText, KmpRtmpError, messageOf, type ErrorCode } from '../../base/errors.js';
import { readRegularFile } from '../../base/regular-file.js';
import { withoutLogin } from '../../base/url-login.js';
import { version } from '../../base/version.js';
import { signatureHeaders, type NotificationRequest } from './message.js';
import type { NotificationSettings } from './notification.js';

/** A notification that failed. The message never shows the target's URL, which may hold a secret. */
export class NotificationError extends KmpRtmpError {
  /** False if another attempt is of no use: the target has understood the request and refuses it. */
  readonly temporary: boolean;
  /** ms that the target asks to wait before the next attempt (`Retry-After`); 0 if it does not. */
  readonly retryAfter: number;

  constructor(code: ErrorCode, message: string, { temporary = true, retryAfter = 0, cause }: NotificationFailure = {}) {
    super(code, message, cause === undefined ? {} : { cause });
    this.temporary = temporary;
    this.retryAfter = retryAfter;
  }
}

interface NotificationFailure {
  readonly temporary?: boolean;
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

/** Statuses of 4xx after which another attempt may succeed: Request Timeout, Too Early, Too Many Requests. */
const TEMPORARY: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Posts one notification and waits for the answer. At most `outNotifBufferSize` bytes of the answer are read. Redirects
 * are not followed, because the answer of a target must not decide where stream keys are sent.
 *
 * @returns the status of the answer, 200..299
 * @throws NotificationError
 */
export async function postNotification(
  notification: NotificationRequest,
  settings: NotificationSettings,
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  const { body } = notification;
  const request = new Timeouts(body.length, settings, clock, signal);
  try {
    const { url, headers } = addressed(settings);
    for (const [name, value] of notification.headers) addHeader(headers, name, value);
    const secret = secretOf(settings);
    if (secret !== '') {
      const signature = signatureHeaders(secret, notification, Math.floor(clock.wall() / 1000));
      for (const [name, value] of signature) addHeader(headers, name, value);
    }
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
      throw refusal(response.status, response.headers.get('Retry-After'));
    }
    return response.status;
  } catch (error) {
    throw request.failure ?? (error instanceof NotificationError ? error : failureOf(error));
  } finally {
    request.close();
  }
}

/** A header of the configuration replaces one of ours with the same name. */
function addHeader(headers: Headers, name: string, value: string): void {
  if (!headers.has(name)) headers.set(name, value);
}

function secretOf({ outNotifSecret, outNotifSecretFile }: NotificationSettings): string {
  if (outNotifSecretFile === '') return outNotifSecret;
  let text: string;
  try {
    text = readRegularFile(outNotifSecretFile).toString('utf8');
  } catch (error) {
    const hint = 'check kmp_rtmp_out_notif_secret_file';
    throw new NotificationError('notification_failed', `the secret cannot be read: ${fileErrorText(error)}; ${hint}`);
  }
  const secret = text.trimEnd();
  if (secret !== '') return secret;
  throw new NotificationError('notification_failed', 'the file of kmp_rtmp_out_notif_secret_file is empty');
}

function refusal(status: number, retryAfter: string | null): NotificationError {
  const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : 0;
  return new NotificationError('notification_refused', `the target answered with HTTP status ${status}`, {
    temporary: status >= 500 || TEMPORARY.has(status),
    retryAfter: seconds * 1000,
  });
}

function addressed(settings: NotificationSettings): { url: URL; headers: Headers } {
  const { url, authorization } = withoutLogin(settings.outNotifUrl);
  const headers = new Headers();
  for (const { name, value } of settings.outNotifAddHeader) headers.append(name, value);
  addHeader(headers, 'Content-Type', 'application/json');
  addHeader(headers, 'User-Agent', `kmp-rtmp/${version}`);
  if (authorization !== undefined) addHeader(headers, 'Authorization', authorization);
  return { url, headers };
}

/** The text of fetch's own errors contains the URL, so only the system's message is passed on. */
function failureOf(error: unknown): NotificationError {
  const text = messageOf(error);
  const reason = text.indexOf('reason: ');
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const systemText = reason < 0 ? '' : text.slice(reason + 'reason: '.length);
  const why = systemText === '' ? code || 'the request could not be made' : systemText;
  return new NotificationError('notification_failed', `sending failed: ${why}`, { cause: error });
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
    this.failure ??= new NotificationError('notification_failed', message);
    this.abort.abort();
  }
}
