import express, { type Response, type Router } from 'express';
import { answerError, answerJson } from './answer.js';
import { securityHeaders } from './security.js';

/** What the health routes ask. */
export interface Health {
  /** Whether new KMP connections are taken: all ports listen, and the service is not shutting down. */
  ready(): boolean;
}

/**
 * `/healthz`: 200 as long as the process answers at all; restart it when it does not. `/readyz`: 200 while connections are
 * taken, else 503; send nothing new to it then. Other paths are left to what is mounted behind.
 */
export function healthRouter(health: Health): Router {
  const router = express.Router({ caseSensitive: true });
  const routes: Record<string, (res: Response) => void> = {
    '/healthz': (res) => answerJson(res, { status: 'ok' }),
    '/readyz': (res) => {
      if (health.ready()) answerJson(res, { status: 'ok' });
      else answerError(res, 503, 'not_ready', 'starting or shutting down');
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
