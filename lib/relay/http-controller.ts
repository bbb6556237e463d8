import http from 'node:http';
import https from 'node:https';
import fetch, { FetchError, type RequestInit } from 'node-fetch';
import type { Clock } from '../time/clock.js';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import { maskUrl } from '../base/mask.js';
import { withoutLogin } from '../base/url-login.js';
import { version } from '../base/version.js';
import { waitUntil } from '../send/wait-until.js';
import { connectBody, publishBody, republishBody, unpublishBody } from './control-bodies.js';
import { readPublish, readRepublish } from './control-answers.js';
import {
  ControlError,
  type Controller,
  type InputFields,
  type MovedTarget,
  type PublishTargets,
  type TrackFields,
} from './controller.js';

/** ms for one request, its answer included; ms between two attempts; attempts. Those of nginx-kmp-out. */
const TIMEOUT = 20_000;
const RETRY_AFTER = 2000;
const ATTEMPTS = 6;
/** ms until the same warning is given again. */
const WARN_EVERY = 60_000;
/** Longest answer, bytes. */
const MAX_ANSWER = 256 * 1024;

export interface HttpControllerOptions {
  /** `http://` or `https://`; all questions are posted to this address. User and password go into a header. */
  readonly url: string;
  /** Headers of each request, for example `Authorization`. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Ask before a connection is accepted. Default true. */
  readonly askConnect?: boolean;
  readonly clock: Clock;
  /** Called with what is wrong, before a request is repeated; with the same text again after a minute only. */
  readonly warn?: (message: string) => void;
  /** Cancels the request that waits for its answer, and ends the repeats. A later question is asked once. */
  readonly signal?: AbortSignal;
}

/**
 * Asks a controller over HTTP, as nginx-kmp-out does: `kmp_rtmp_control` of this service, or one of your own. A request
 * that fails is repeated 5 times, every 2 seconds. An answer whose `code` is not `ok` is final.
 */
export class HttpController implements Controller {
  private readonly url: URL;
  private readonly headers: readonly (readonly [string, string])[];
  /** The last warning, and the monotonic ms at which it was given. */
  private warned: { readonly text: string; readonly at: number } | undefined;

  /** @throws KmpRtmpError `control_url` */
  constructor(private readonly options: HttpControllerOptions) {
    if (!URL.canParse(options.url) || !/^https?:/i.test(options.url))
      throw new KmpRtmpError(
        'control_url',
        `the controller's address ${shown(options.url)} is not http://HOST:PORT/PATH`,
      );
    const { url, authorization } = withoutLogin(options.url);
    this.url = url;
    this.headers = [...(options.headers ?? []), ...(authorization ? [['Authorization', authorization] as const] : [])];
  }

  async connect(input: InputFields): Promise<void> {
    if (this.options.askConnect !== false) await this.ask(connectBody(input));
  }

  async publish(track: TrackFields): Promise<PublishTargets> {
    return this.ask(publishBody(track), readPublish);
  }

  async republish(
    track: TrackFields,
    ids: Omit<PublishTargets, 'upstreams'>,
    upstreamId: string,
  ): Promise<MovedTarget> {
    // One attempt: the sender that asks has a backoff of its own.
    return this.ask(republishBody(track, ids, upstreamId), readRepublish, 1);
  }

  async unpublish(track: TrackFields, reason: string): Promise<void> {
    await this.ask(unpublishBody(track, reason), undefined, 1);
  }

  private async ask(body: object): Promise<void>;
  private async ask<T>(body: object, read: ((answer: unknown) => T) | undefined, attempts?: number): Promise<T>;
  private async ask<T>(body: object, read?: (answer: unknown) => T, attempts = ATTEMPTS): Promise<T | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.post(JSON.stringify(body));
        checkCode(answer);
        return read?.(answer);
      } catch (error) {
        const { clock, signal } = this.options;
        const final = error instanceof ControlError && error.code === 'control_refused';
        if (final || attempt >= attempts || signal?.aborted === true) throw error;
        this.warn(`${messageOf(error)}; it is asked again in ${RETRY_AFTER / 1000} s`);
        await waitUntil(clock, clock.now() + RETRY_AFTER, signal);
        if (isAborted(signal)) throw error;
      }
    }
  }

  private warn(text: string): void {
    const now = this.options.clock.now();
    if (this.warned?.text === text && now - this.warned.at < WARN_EVERY) return;
    this.warned = { text, at: now };
    this.options.warn?.(text);
  }

  private async post(body: string): Promise<unknown> {
    const abort = new AbortController();
    const cancel = (): void => abort.abort();
    const timer = this.options.clock.after(TIMEOUT, cancel, false);
    const { signal } = this.options;
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const init: RequestInit = {
        method: 'POST',
        headers: [
          ['Content-Type', 'application/json'],
          ['User-Agent', `kmp-rtmp/${version}`],
          ...this.headers.map(([name, value]) => [name, value] as [string, string]),
        ],
        body,
        redirect: 'manual',
        // A new connection for each request: they are too rare to keep connections open.
        agent: ({ protocol }) => (protocol === 'https:' ? new https.Agent() : new http.Agent()),
        size: MAX_ANSWER,
        signal: abort.signal,
      };
      const response = await fetch(this.url, init);
      const text = await response.text();
      if (response.status !== 200) throw failed(`answered with HTTP status ${response.status}${worded(text)}`);
      return JSON.parse(text);
    } catch (error) {
      if (error instanceof ControlError) throw error;
      if (isAborted(signal)) throw failed('has not answered: the request was cancelled', error);
      throw failed(abort.signal.aborted ? `did not answer within ${TIMEOUT / 1000} s` : reasonOf(error), error);
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', cancel);
    }
  }
}

function failed(why: string, cause?: unknown): ControlError {
  return new ControlError('control_failed', `the controller ${why}`, { cause });
}

/** What is no address is printed in full, unless it may contain a login or a token. */
function shown(url: string): string {
  return /[@?]/.test(url) ? maskUrl(url) : url;
}

/** A function, because the signal changes while a request waits. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** fetch puts the URL into its messages, which may contain a token. */
function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'answered with something that is not JSON';
  const code = error instanceof FetchError && error.code !== undefined ? error.code : messageOf(error);
  return `cannot be asked (${code}); does it run, and is its address right?`;
}

/** The message of an answer with an error status, if it has one. */
function worded(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? `: ${message.slice(0, 200)}` : '';
  } catch {
    return '';
  }
}

function checkCode(answer: unknown): void {
  const { code, message } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<string, unknown>;
  if (code === 'ok') return;
  const words = typeof message === 'string' && message !== '' ? message.slice(0, 200) : `its code is ${String(code)}`;
  throw new ControlError('control_refused', `the controller refuses: ${words}`);
}
