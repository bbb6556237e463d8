import express, { type Express, type RequestHandler } from 'express';
import { noLog, type Logger } from '../log.js';
import type { Management } from '../upstream/status.js';
import { accessControl, type AccessRule } from './access.js';
import { errorHandler, notFound } from './answer.js';
import { healthRouter, type Health } from './health.js';
import { locate } from './locate.js';
import { metricsRouter } from './metrics.js';
import { managementRouter } from './router.js';
import { hostCheck, securityHeaders } from './security.js';
import type { ServiceCounters } from './service-counters.js';
import { bearerToken } from './token.js';

/** What one `location` serves: at most one of `api`, `metrics`, `control` and `status`, and `health` beside it. */
export interface LocationSettings {
  /** Prefix of the path, in whole segments: `/api` and `/api/` both stand for `/api` and all below it. */
  readonly path: string;
  /** `location = PATH`: this path only. */
  readonly exact?: boolean;
  readonly api?: { readonly write: boolean };
  readonly metrics?: { readonly upstreams: boolean };
  readonly control?: RequestHandler;
  readonly status?: RequestHandler;
  /** Whether `healthz` and `readyz` are served below the path; they need no token. */
  readonly health?: boolean;
  readonly access: readonly AccessRule[];
  readonly token?: string | readonly string[];
}

export interface AppSettings {
  readonly locations: readonly LocationSettings[];
  readonly management: Management;
  readonly health: Health;
  readonly counters?: ServiceCounters;
  /** Names under which the server may be addressed over loopback, beside `localhost`. */
  readonly serverNames?: readonly string[];
  readonly log?: Logger;
}

/**
 * The Express app of an HTTP `server` block. As in nginx, the location with the longest path decides alone, its access rules
 * included: what it does not serve is not looked for in a shorter one. Paths outside of all locations answer 404.
 */
export function createApp(settings: AppSettings): Express {
  const log = settings.log ?? noLog;
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders);
  app.use(hostCheck(settings.serverNames));
  app.use(
    locate(settings.locations.map((location) => ({ ...location, handler: locationHandler(location, settings) }))),
  );
  app.use(notFound);
  app.use(errorHandler(log));
  return app;
}

function locationHandler(location: LocationSettings, settings: AppSettings): RequestHandler {
  const { management, health, counters, log = noLog } = settings;
  const router = express.Router({ caseSensitive: true });
  router.use(accessControl(location.access));
  if (location.health === true) router.use(healthRouter(health));
  if (location.token !== undefined) router.use(bearerToken(location.token));
  if (location.api) router.use(managementRouter(management, { ...location.api, log }));
  else if (location.metrics) router.use(metricsRouter(management, { ...location.metrics, counters }));
  else if (location.control) router.use(location.control);
  else if (location.status) router.use(location.status);
  return router;
}
