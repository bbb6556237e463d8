import express, { type ErrorRequestHandler, type Request, type Response, type Router } from 'express';
import type { Route } from '../config/route.js';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';
import { maskUrl } from '../base/mask.js';
import { OK, publishAnswer, republishAnswer, type PlainAnswer } from './answer.js';
import { parseCallback, type TrackCallback } from './callback.js';
import { kmpUrl, type KmpAddress } from './kmp-url.js';
import { targetsOf, type Target } from './targets.js';

export interface ControlOptions {
  /** Where senders are to send KMP to; asked for at each callback. undefined: nowhere, at the moment. */
  readonly kmp: () => KmpAddress | undefined;
  /** Largest body of a callback, in bytes. Default 65536. */
  readonly maxBody?: number;
  readonly log?: Logger;
}

/**
 * The controller's side of KMP senders (nginx-rtmp-kmp-module, nginx-mpegts-kmp-module): answers their publish, unpublish and
 * republish callbacks, and lets every connect pass, by a table of routes. To be mounted at any path of any Express app; the
 * callbacks may go to that path or, one each, to `publish`, `unpublish`, `republish` and `connect` below it.
 *
 * What is understood answers 200 with `code` `ok` or `error`; what is no callback, 4xx, with `code` `error` too.
 */
export function controlRouter(routes: readonly Route[], options: ControlOptions): Router {
  const { maxBody = 65_536, log = noLog } = options;
  const router = express.Router({ caseSensitive: true });
  const route = router.route('/{:event}');
  route.post((req, res, next) => {
    const event: unknown = req.params['event'];
    if (event === undefined || ['connect', 'publish', 'unpublish', 'republish'].includes(String(event))) next();
    else refuse(res, 404, 'nothing is here; send callbacks to the location itself');
  });
  route.post(express.json({ limit: maxBody, strict: false, type: () => true }));
  route.post(async (req: Request, res: Response) => {
    const callback = parseCallback(req.body);
    const what = `control: ${callback.event} of ${JSON.stringify(callback.name ?? '')}`;
    if (!('media' in callback)) {
      log.info(`${what} noted`);
      send(res, 200, OK);
      return;
    }
    try {
      const targets = chosen(callback, targetsOf(routes, callback.name));
      const url = await kmpUrl(options.kmp(), req.socket.localAddress);
      log.info(`${what} (${callback.media}) goes to ${targets.map((target) => maskUrl(target.url)).join(' ')}`);
      const answer = callback.event === 'publish' ? publishAnswer : republishAnswer;
      send(res, 200, answer(callback, targets, url));
    } catch (error) {
      if (!(error instanceof KmpRtmpError)) throw error;
      log.warn(`${what} (${callback.media}) rejected: ${error.message}`);
      refuse(res, 200, error.message);
    }
  });
  route.all((req, res) => {
    res.setHeader('Allow', 'POST, OPTIONS');
    if (req.method === 'OPTIONS') res.status(204).end();
    else refuse(res, 405, `${req.method} is not allowed here; callbacks are sent by POST`);
  });
  router.use(((error: unknown, _req, res, next) => {
    const status = statusOf(error);
    const message = status === 500 ? 'the callback failed; see the log of the service' : messageOf(error);
    log[status === 500 ? 'error' : 'warn'](`control: callback refused: ${messageOf(error)}`);
    if (res.headersSent) next(error);
    else refuse(res, status, message);
  }) satisfies ErrorRequestHandler);
  return router;
}

/** @throws KmpRtmpError `no_route` */
function chosen({ event, id }: TrackCallback, targets: readonly Target[] | undefined): readonly Target[] {
  if (!targets) throw new KmpRtmpError('no_route', 'no kmp_rtmp_route fits the name of the input');
  if (event === 'publish' || (id === undefined && targets.length === 1)) return targets;
  const target = targets.find((one) => one.id === id);
  if (!target) throw new KmpRtmpError('no_route', 'the input is no longer published to this upstream');
  return [target];
}

function refuse(res: Response, status: number, message: string): void {
  send(res, status, { code: 'error', message });
}

function send(res: Response, status: number, answer: PlainAnswer): void {
  res.status(status).setHeader('Cache-Control', 'no-store');
  // Senders compare the type to its end in some versions: no charset behind it.
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify(answer));
}

/** 4xx of the body's parser, 400 for a body that is no callback, else 500. */
function statusOf(error: unknown): number {
  if (error instanceof KmpRtmpError) return 400;
  if (typeof error !== 'object' || error === null || !('status' in error)) return 500;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}
