import { randomUUID } from 'node:crypto';
import express, { type Request, type Response, type Router } from 'express';
import type { Clock } from '../../time/clock.js';
import { noLog, type Logger } from '../../base/logger.js';
import type { Management } from '../../upstream/report/status.js';
import { answerError, errorHandler, notFound } from '../answer.js';
import { securityHeaders } from '../security.js';
import type { ServiceCounters } from '../service-counters.js';
import { readAssets, type Asset } from './assets.js';
import { Feed, sseEvent } from './feed.js';
import type { HelloMessage } from './public/wire.js';

export interface StatusOptions {
  /**
   * Path of a management API that may drop upstreams, on the same server, e.g. `/kmp_rtmp_api`; the page has drop buttons only
   * then. Default: none.
   */
  readonly api?: string | undefined;
  /** Sums over all that ever was, for what is said of upstreams that have ended. Default: none. */
  readonly counters?: ServiceCounters | undefined;
  /** How many may watch at a time; 503 above. Default 256. */
  readonly maxViewers?: number;
  /** ms between updates. Default 1000. */
  readonly interval?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Scripts, styles and data of this server only, nothing inline; and no script may write markup (Trusted Types). */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/**
 * The status page, to be mounted at any path of any Express app: `app.use('/status', statusRouter(service.management))`.
 * Live by server-sent events at `events`. Stream keys and passwords do not leave the service by it.
 *
 * Access is the business of what stands before it: `accessControl`, `bearerToken`.
 */
export function statusRouter(management: Pick<Management, 'status'>, options: StatusOptions = {}): Router {
  const { api, maxViewers = 256, log = noLog } = options;
  const assets = readAssets();
  const feed = new Feed(management, options);
  const id = randomUUID();
  const router = express.Router({ caseSensitive: true });
  router.use(securityHeaders);
  router.use((req, res, next) => {
    if (req.method === 'GET' || req.method === 'HEAD') {
      next();
      return;
    }
    res.setHeader('Allow', 'GET, HEAD, OPTIONS');
    if (req.method === 'OPTIONS') res.status(204).end();
    else answerError(res, 405, 'method_not_allowed', `${req.method} is not allowed here`);
  });
  router.get('/', (req, res) => {
    const path = pathOf(req);
    if (path.endsWith('/')) answerAsset(req, res, assets.get('index.html'));
    // The page's files are found relative to it; so is the redirect, since a proxy may have taken a prefix off.
    else res.redirect(308, `./${path.slice(path.lastIndexOf('/') + 1)}/`);
  });
  router.get('/events', (req, res) => {
    if (feed.size >= maxViewers) {
      answerError(res, 503, 'too_many_viewers', `${maxViewers} pages are watching already`);
      return;
    }
    res.setHeader('Content-Type', 'text/event-stream');
    res.setHeader('Cache-Control', 'no-store, no-transform');
    // For nginx in front, which would gather events else.
    res.setHeader('X-Accel-Buffering', 'no');
    if (req.method === 'HEAD') {
      res.end();
      return;
    }
    res.flushHeaders();
    const hello: HelloMessage = { feed: id, api: api === undefined ? null : relativeTo(req.baseUrl, api) };
    res.write(sseEvent('hello', JSON.stringify(hello)));
    feed.add(res);
  });
  router.get('/:file', (req, res, next) => {
    const { file } = req.params;
    const asset = file === 'index.html' ? undefined : assets.get(file);
    if (asset) answerAsset(req, res, asset);
    else next();
  });
  router.use(notFound);
  router.use(errorHandler(log));
  return router;
}

function answerAsset(req: Request, res: Response, asset: Asset | undefined): void {
  if (!asset) throw new Error('the status page is not built: npm run build');
  res.setHeader('Content-Security-Policy', POLICY);
  res.setHeader('Cache-Control', 'no-cache');
  res.setHeader('ETag', asset.etag);
  res.setHeader('Vary', 'Accept-Encoding');
  if (req.headers['if-none-match']?.includes(asset.etag) === true) {
    res.status(304).end();
    return;
  }
  const gzip = req.acceptsEncodings('gzip', 'identity') === 'gzip';
  const body = gzip ? asset.gzipped : asset.plain;
  if (gzip) res.setHeader('Content-Encoding', 'gzip');
  res.setHeader('Content-Type', asset.type);
  res.setHeader('Content-Length', body.length);
  res.end(body);
}

function pathOf(req: Request): string {
  return req.originalUrl.split('?', 1)[0] ?? '';
}

/** `/kmp_rtmp_api` as seen from a page at `/a/status/`: `../../kmp_rtmp_api`. */
function relativeTo(base: string, path: string): string {
  const depth = base.split('/').filter((segment) => segment !== '').length;
  const segments = path.split('/').filter((segment) => segment !== '');
  return `${'../'.repeat(depth) || './'}${segments.map(encodeURIComponent).join('/')}`;
}
