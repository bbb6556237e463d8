import { setImmediate } from 'node:timers/promises';
import express, { type ErrorRequestHandler, type Request, type Response, type Router } from 'express';
import { linearPattern } from '../config/linear-pattern.js';
import type { Route } from '../config/route.js';
import { API_ERRORS, clientErrorCode, clientErrorStatus, type ApiErrorCode } from '../base/api-error.js';
import { KmpRtmpError, messageOf, type ErrorCode } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';
import { maskKey, maskUrl } from '../base/mask.js';
import { systemClock, type Clock } from '../time/clock.js';
import { OK, publishAnswer, republishAnswer, type PlacedTarget, type PlainAnswer } from './answer.js';
import { CallbackError, parseCallback, type TrackCallback } from './callback.js';
import { kmpUrl, type KmpAddress } from './kmp-url.js';
import { targetsOf, type Target } from './targets.js';

/** The node that owns an upstream, with the address at which senders reach it. */
export type PlaceUpstream = (
  id: string,
  event: 'publish' | 'republish',
) => Promise<{ readonly node: string; readonly epoch: number; readonly kmp: KmpAddress }>;

export interface ControlOptions {
  /** Returns the KMP address for senders; called for each callback. undefined: no KMP server at the moment. */
  readonly kmp: () => KmpAddress | undefined;
  /** In a fleet: returns the node of an upstream, for each callback, instead of `kmp`. Default: there is no fleet. */
  readonly place?: PlaceUpstream;
  /** What connect data is signed with; called for each callback. undefined: it is not signed. Default: undefined. */
  readonly secret?: () => string | undefined;
  readonly clock?: Clock;
  /** Maximum size of the body of a callback, in bytes. Default 65536. */
  readonly maxBody?: number;
  readonly log?: Logger;
}

/**
 * The controller for KMP senders (nginx-rtmp-kmp-module, nginx-mpegts-kmp-module). It answers their publish, unpublish
 * and republish callbacks according to a table of routes, and accepts every connect callback. It can be mounted at any
 * path of an Express app. Callbacks may be sent to this path, or to `publish`, `unpublish`, `republish` and `connect`
 * below it.
 *
 * A valid callback is answered with status 200 and `code` `ok` or `error`; an invalid one with 4xx and `code` `error`.
 * Beside `code`, which senders read, an error has `error` and `message`, as all errors in HTTP answers have.
 *
 * It does not restrict access. `createApp` refuses requests from pages of other sites before they reach it.
 *
 * @throws Error if a pattern has lookahead, lookbehind or backreferences
 */
export function controlRouter(routes: readonly Route[], options: ControlOptions): Router {
  const { maxBody = 65_536, log = noLog, clock = systemClock, secret = () => undefined } = options;
  for (const { pattern } of routes) linearPattern(pattern);
  const router = express.Router({ caseSensitive: true });
  const route = router.route('/{:event}');
  route.post((req, res, next) => {
    const event: unknown = req.params['event'];
    if (event === undefined || ['connect', 'publish', 'unpublish', 'republish'].includes(String(event))) next();
    else refuse(res, 'not_found', 'there is nothing at this path; send callbacks to the location itself');
  });
  route.post(express.json({ limit: maxBody, strict: false, type: () => true }));
  route.post(async (req: Request, res: Response) => {
    // Nothing is done for a client that has left. Node reads the end of a connection in the turn after its data.
    await setImmediate();
    await setImmediate();
    if (!req.socket.writable) return;
    const callback = parseCallback(req.body);
    // At some sites, the name of an input is the key that its encoder publishes with.
    const what = `control: ${callback.event} of ${JSON.stringify(maskKey(callback.name ?? ''))}`;
    if (!('media' in callback)) {
      log.info(`${what} accepted`);
      send(res, 200, OK);
      return;
    }
    try {
      const targets = selectTargets(callback, targetsOf(routes, callback.name));
      const { localAddress } = req.socket;
      const placed = await Promise.all(targets.map((target) => placedTarget(target, callback, localAddress, options)));
      log.info(`${what} (${callback.media}) routed to ${placed.map(masked).join(' ')}`);
      const answer = callback.event === 'publish' ? publishAnswer : republishAnswer;
      send(res, 200, answer(callback, placed, { secret: secret(), now: clock.wall() }));
    } catch (error) {
      if (!(error instanceof KmpRtmpError)) throw error;
      log.warn(`${what} (${callback.media}) rejected: ${error.message}`);
      refuse(res, error.code, error.message);
    }
  });
  route.all((req, res) => {
    res.setHeader('Allow', 'POST, OPTIONS');
    if (req.method === 'OPTIONS') res.status(204).end();
    else refuse(res, 'method_not_allowed', `${req.method} is not allowed here; callbacks use POST`);
  });
  router.use(((error: unknown, _req, res, next) => {
    const code = codeOf(error);
    const failed = code === 'internal_error';
    log[failed ? 'error' : 'warn'](`control: callback rejected: ${messageOf(error)}`);
    if (res.headersSent) next(error);
    else refuse(res, code, failed ? 'the callback failed; see the log of the service' : messageOf(error));
  }) satisfies ErrorRequestHandler);
  return router;
}

/** @throws KmpRtmpError `control_no_kmp` */
async function placedTarget(
  target: Target,
  { event }: TrackCallback,
  localAddress: string | undefined,
  { kmp, place }: ControlOptions,
): Promise<PlacedTarget> {
  if (place === undefined) return { ...target, kmpUrl: await kmpUrl(kmp(), localAddress) };
  const { node, epoch, kmp: address } = await place(target.id, event);
  return { ...target, kmpUrl: await kmpUrl(address, localAddress, `kmp= of node ${node}`), fleet: { node, epoch } };
}

/** The URLs of a target as a route has them, for the log. */
function masked({ url, backupUrls, fleet }: PlacedTarget): string {
  const urls = [url, ...backupUrls].map(maskUrl).join('|');
  return fleet === undefined ? urls : `${urls} at ${fleet.node}`;
}

/** @throws KmpRtmpError `control_no_route` */
function selectTargets({ event, id }: TrackCallback, targets: readonly Target[] | undefined): readonly Target[] {
  if (!targets) throw new KmpRtmpError('control_no_route', 'no kmp_rtmp_route matches the name of the input');
  if (event === 'publish' || (id === undefined && targets.length === 1)) return targets;
  const target = targets.find((one) => one.id === id);
  if (!target) throw new KmpRtmpError('control_no_route', 'the routes no longer publish the input to this upstream');
  return [target];
}

/** What HTTP status a code has; those of the routes are answers to valid callbacks. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  control_bad_callback: 400,
  ...Object.fromEntries(Object.entries(API_ERRORS).map(([code, { status }]) => [code, status])),
};

function refuse(res: Response, error: ErrorCode, message: string): void {
  send(res, STATUS[error] ?? 200, { code: 'error', error, message });
}

function send(res: Response, status: number, answer: PlainAnswer): void {
  res.status(status).setHeader('Cache-Control', 'no-store');
  // Some versions of the senders compare the complete type, so it must not have a charset.
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify(answer));
}

function codeOf(error: unknown): ApiErrorCode | 'control_bad_callback' {
  if (error instanceof CallbackError) return 'control_bad_callback';
  const status = clientErrorStatus(error);
  return status === undefined ? 'internal_error' : clientErrorCode(status);
}
