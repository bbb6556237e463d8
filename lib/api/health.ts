import express, { type Response, type Router } from 'express';
import { answerError, answerJson } from './answer.js';
import { securityHeaders } from './security.js';

/** State for the health checks. */
export interface Health {
  /** Whether new KMP connections are accepted: all ports listen, and the service is not shutting down. */
  ready(): boolean;
  /** What the service waits for, if that is known. */
  why?(): string | undefined;
  /** What does not work, although connections are accepted. */
  note?(): string | undefined;
}

/**
 * `/healthz` answers 200; restart the process if it does not answer. `/readyz` answers 200 while connections are
 * accepted, else 503: do not route new connections to it then. Other paths are passed on.
 */
export function healthRouter(health: Health): Router {
  const router = express.Router({ caseSensitive: true });
  const routes: Record<string, (res: Response) => void> = {
    '/healthz': (res) => answerJson(res, { status: 'ok' }),
    '/readyz': (res) => {
      const note = health.note?.();
      if (health.ready()) answerJson(res, { status: 'ok', ...(note === undefined ? {} : { note }) });
      else answerError(res, 503, 'not_ready', health.why?.() ?? 'the service is starting or shutting down');
    },
  };
  for (const [path, answer] of Object.entries(routes)) {
    const route = router.route(path);
    route.all(securityHeaders);
    route.get((_req, res) => answer(res));
    route.all((req, res) => {
      res.setHeader('Allow', 'GET, HEAD, OPTIONS');
      if (req.method === 'OPTIONS') res.status(204).end();
      else answerError(res, 405, 'method_not_allowed', `${req.method} is not allowed here`);
    });
  }
  return router;
}
