import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import fetch, { Headers } from 'node-fetch';
import type { Clock, Timer } from '../../time/clock.js';
import { KmpRtmpError, messageOf } from '../../base/errors.js';
import { version } from '../../base/version.js';
import type { NotificationSettings } from './notification.js';

/** A notification that did not get through. The message never shows the target's URL, which may hold a secret. */
export class NotificationError extends KmpRtmpError {}

/**
 * Posts one notification and waits for the answer, of which at most `outNotifBufferSize` bytes are read. Redirects are not
 * followed: the answer of a target must not decide where stream keys go.
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
      // What is read is what was sent: nothing is unpacked past the limit.
      compress: false,
      agent: request.agent(url),
      signal: request.signal,
    });
    request.answered();
    // The status says it all; the rest is read so that the target can finish, as far as the limit goes.
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

/** node-fetch takes no user and password in the URL; they become the header that they stand for. */
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

/** fetch's own text quotes the URL: only what the system says is passed on. */
function failureOf(error: unknown): NotificationError {
  const text = messageOf(error);
  const reason = text.indexOf('reason: ');
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const told = reason < 0 ? '' : text.slice(reason + 'reason: '.length);
  const why = told === '' ? code || 'the request could not be made' : told;
  return new NotificationError('NOTIFICATION_FAILED', `sending failed: ${why}`, { cause: error });
}

/**
 * The two limits of a request: to connect and hand the whole request to the kernel, then between one read of the answer and
 * the next. fetch does not tell when a request is sent; its socket does.
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
    private readonly given: AbortSignal,
  ) {
    this.timer = clock.after(settings.outNotifTimeout, this.sendExpired);
    if (given.aborted) this.onGiven();
    else given.addEventListener('abort', this.onGiven, { once: true });
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** A connection of its own for each request: they are too rare to keep any. */
  agent(url: URL): http.Agent {
    const secure = url.protocol === 'https:';
    const agent = secure ? new https.Agent() : new http.Agent();
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (options, callback) => {
      const socket = connect(options, callback) as Socket;
      this.socket = socket;
      // The request was written before the connection was there, and goes out as it comes up.
      socket.once(secure ? 'secureConnect' : 'connect', () => setImmediate(() => this.check()));
      socket.on('drain', () => this.check());
      return socket;
    };
    return agent;
  }

  /** Something of the answer is there. */
  answered(): void {
    this.sent = true;
    this.startRead();
  }

  close(): void {
    this.timer.cancel();
    this.given.removeEventListener('abort', this.onGiven);
    // An answer that goes on past the limit, or was cut off by a timeout, has no use for its connection any more.
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
    // bytesWritten counts what is still queued, too; the headers make it more than the body.
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

  private readonly onGiven = (): void => this.fail('given up, since the service stops');

  private fail(message: string): void {
    this.failure ??= new NotificationError('NOTIFICATION_FAILED', message);
    this.abort.abort();
  }
}
