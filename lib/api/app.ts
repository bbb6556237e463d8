import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { ErrorBody } from '../base/api-error.js';
import { noLog, type Logger } from '../base/logger.js';
import type { Management } from '../upstream/report/status.js';
import { fullToken, type AccessToken, type Role } from '../config/access/tokens.js';
import { accessControl, type AccessRule } from './access.js';
import { errorHandler, notFound } from './answer.js';
import { healthRouter, type Health } from './health.js';
import { routeByLocation } from './location-router.js';
import { metricsRouter } from './metrics/metrics.js';
import { refuseInReserve } from './server/reserved.js';
import { managementRouter } from './router.js';
import { pageFiles } from './status/page-files.js';
import { hostCheck, sameSiteOnly, securityHeaders } from './security.js';
import type { FleetCounts } from './metrics/fleet-metrics.js';
import type { ServiceCounters } from './metrics/service-counters.js';
import { requireToken } from './token.js';

/**
 * What a `location` serves: at most one of `api`, `metrics`, `control` and `status`, and optionally `health`. The
 * locations of lib/config have this shape.
 */
export interface LocationSettings {
  /** Prefix of the path in whole segments: `/api` and `/api/` both match `/api` and everything below it. */
  readonly path: string;
  /** `location = PATH`: this path only. */
  readonly exact?: boolean;
  readonly api?: { readonly write: boolean } | undefined;
  readonly metrics?: { readonly upstreams: boolean } | undefined;
  readonly control?: object | undefined;
  readonly status?: boolean;
  /** Whether `healthz` and `readyz` are served below the path. They need no token. */
  readonly health?: boolean;
  readonly access: readonly AccessRule[];
  /** Tokens whose bearers may do everything that the location allows. */
  readonly token?: string | readonly string[] | undefined;
  /** Tokens with roles. Without any token, clients need none. */
  readonly tokens?: readonly AccessToken[] | undefined;
}

export interface AppSettings<Location extends LocationSettings = LocationSettings> {
  readonly locations: readonly Location[];
  readonly management: Management;
  readonly health: Health;
  readonly counters?: ServiceCounters;
  /** Of a node of a fleet: `management` is that of all nodes; these are its own upstreams, and what it counts. */
  readonly node?: { readonly management: Management; readonly counts: () => FleetCounts };
  /** Creates the handler for a location with `status`; called once for each such location. */
  readonly status?: (location: Location) => RequestHandler;
  /** Creates the handler for a location with `control`. */
  readonly control?: (location: Location) => RequestHandler;
  /** What other nodes of a fleet ask: its path, its rules, and the handler, which requires the peer token itself. */
  readonly peers?: { readonly path: string; readonly access: readonly AccessRule[]; readonly handler: RequestHandler };
  /**
   * Host names that requests may use, in addition to `localhost`, the name of this machine and IP addresses. `*.NAME`
   * stands for all names below NAME.
   */
  readonly serverNames?: readonly string[];
  readonly log?: Logger;
}

/**
 * The Express app of an HTTP `server` block. As in nginx, only the location with the longest matching path is used,
 * with its access rules. A path that it does not serve is not searched in a shorter one. Paths outside of all locations
 * answer 404.
 */
export function createApp<Location extends LocationSettings>(settings: AppSettings<Location>): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders);
  app.use(
    routeByLocation([
      ...settings.locations.map((location) => ({ ...location, handler: locationHandler(location, settings) })),
      ...peerLocation(settings),
    ]),
  );
  app.use(notFound);
  app.use(errorHandler(settings.log));
  return rejectInvalidUrls(app);
}

/**
 * Characters that no client has to send, and that make Express parse the URL in another way, which throws (`/%@%#`).
 */
const INVALID_URL = /[#\s\u00a0\ufeff]/;

/**
 * The app, behind a check of the URL. Express parses the URL before it calls any handler, and answers with a page of
 * its own if that fails.
 */
function rejectInvalidUrls(app: Express): Express {
  return new Proxy(app, {
    apply(target, self: unknown, args: [Request, Response, ...unknown[]]): unknown {
      const [req, res] = args;
      if (!INVALID_URL.test(req.url)) return Reflect.apply(target, self, args);
      securityHeaders(req, res, () => {});
      const body: ErrorBody = { error: 'bad_request', message: 'the URL has characters that are not allowed there' };
      res.statusCode = 400;
      res.setHeader('Content-Type', 'application/json');
      res.setHeader('Cache-Control', 'no-store');
      res.end(JSON.stringify(body));
      return undefined;
    },
  });
}

function locationHandler<Location extends LocationSettings>(
  location: Location,
  settings: AppSettings<Location>,
): RequestHandler {
  const router = express.Router({ caseSensitive: true });
  router.use(accessControl(location.access));
  if (location.health === true) router.use(healthRouter(settings.health));
  router.use(refuseInReserve, hostCheck(settings.serverNames));
  const content = contentHandler(location, settings);
  if (content === undefined) return router;
  const tokens = [...(location.tokens ?? []), ...[location.token ?? []].flat().map(fullToken)];
  if (tokens.length > 0) {
    const guard = requireToken(tokens, (req) => roleOf(location, req));
    // The page itself needs no token: it asks for one, and sends it with its requests.
    const isOpen = pageFiles(content);
    router.use((req, res, next) => (isOpen(req.path) ? next() : guard(req, res, next)));
  }
  // The management API does this itself, for apps of others.
  router.use(sameSiteOnly, content);
  return router;
}

/** Browsers do not have the peer token, so there is no check of hosts and origins: nodes may have any name. */
function peerLocation({ peers }: Pick<AppSettings, 'peers'>): { path: string; handler: RequestHandler }[] {
  if (peers === undefined) return [];
  const router = express.Router({ caseSensitive: true });
  router.use(accessControl(peers.access), refuseInReserve, peers.handler);
  return [{ path: peers.path, handler: router }];
}

/** The role that a request needs. */
function roleOf({ api, control }: LocationSettings, { method }: Request): Role {
  if (control) return 'control';
  return api && !['GET', 'HEAD', 'OPTIONS'].includes(method) ? 'write' : 'read';
}

function contentHandler<Location extends LocationSettings>(
  location: Location,
  { management, counters, node, status, control, log = noLog }: AppSettings<Location>,
): RequestHandler | undefined {
  if (location.api) return managementRouter(management, { ...location.api, log });
  if (location.metrics) {
    const fleet = node && { management, counts: node.counts };
    return metricsRouter(node?.management ?? management, { ...location.metrics, counters, fleet });
  }
  if (location.control) return control?.(location);
  return location.status === true ? status?.(location) : undefined;
}
