import { randomUUID } from 'node:crypto';
import express, { type Request, type Response, type Router } from 'express';
import type { Clock } from '../../time/clock.js';
import { noLog, type Logger } from '../../base/logger.js';
import { answerError, errorHandler, notFound } from '../answer.js';
import { clientToken } from '../client.js';
import { securityHeaders } from '../security.js';
import type { ServiceCounters } from '../metrics/service-counters.js';
import { readAssets, type Asset } from './assets.js';
import { Feed, sseEvent, type StatusSource } from './feed.js';
import { setPageFiles } from './page-files.js';
import type { HelloMessage } from './public/data/wire.js';

export interface StatusOptions {
  /**
   * Path of a writable management API on the same server, e.g. `/kmp_rtmp_api`. Without it, the page has no drop
   * buttons. Default: none.
   */
  readonly api?: string | undefined;
  /** Totals including ended upstreams, for reports about them. Default: none. */
  readonly counters?: ServiceCounters | undefined;
  /** Maximum number of viewers; above it, 503. Default 256. */
  readonly maxViewers?: number;
  /** ms between updates. Default 1000. */
  readonly interval?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Allows scripts, styles and data of this server only, nothing inline. Scripts cannot write markup (Trusted Types). */
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
 * The status page, for any path of an Express app: `app.use('/status', statusRouter(service.management))`. It is
 * updated by server-sent events at `events`. It never contains stream keys or passwords.
 *
 * It does not restrict access: use `accessControl` or `bearerToken` before it. In an app of `createApp`, a location
 * with tokens requires them for the events only: the page asks the user for the token.
 */
export function statusRouter(management: StatusSource, options: StatusOptions = {}): Router {
  const { api, maxViewers = 256, log = noLog } = options;
  const assets = readAssets();
  const feed = new Feed(management, options);
  const id = randomUUID();
  const router = express.Router({ caseSensitive: true });
  setPageFiles(router, (path) => path === '/' || assets.has(path.slice(1)));
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
    // The files of the page are relative to it. The redirect is relative too, because a proxy may have removed a
    // prefix.
    else res.redirect(308, `./${path.slice(path.lastIndexOf('/') + 1)}/`);
  });
  router.get('/events', (req, res) => {
    if (feed.size >= maxViewers) {
      answerError(res, 503, 'too_many_viewers', `there are already ${maxViewers} viewers`);
      return;
    }
    res.setHeader('Content-Type', 'text/event-stream');
    res.setHeader('Cache-Control', 'no-store, no-transform');
    // Otherwise nginx as a reverse proxy would buffer the events.
    res.setHeader('X-Accel-Buffering', 'no');
    if (req.method === 'HEAD') {
      res.end();
      return;
    }
    res.flushHeaders();
    const mayWrite = clientToken(req)?.roles.includes('write') ?? true;
    const hello: HelloMessage = {
      feed: id,
      api: api === undefined || !mayWrite ? null : relativeTo(req.baseUrl, api),
    };
    res.write(sseEvent('hello', JSON.stringify(hello)));
    feed.add(res);
  });
  router.get(['/:file', '/:folder/:file'], (req, res, next) => {
    // Express has decoded the parameters: they may hold anything, and are looked up, never opened.
    const { folder, file } = req.params;
    const name = [folder, file].filter((part) => part !== undefined).join('/');
    const asset = name === 'index.html' ? undefined : assets.get(name);
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

/** The path relative to a page: for `/kmp_rtmp_api` and a page at `/a/status/`, `../../kmp_rtmp_api`. */
function relativeTo(base: string, path: string): string {
  const depth = base.split('/').filter((segment) => segment !== '').length;
  const segments = path.split('/').filter((segment) => segment !== '');
  return `${'../'.repeat(depth) || './'}${segments.map(encodeURIComponent).join('/')}`;
}
