import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { noLog, type Logger } from '../base/logger.js';
import type { Management } from '../upstream/report/status.js';
import { answerBytes, answerError, errorHandler, notFound } from './answer.js';
import { clientName, tokenName } from './client.js';
import { changeText, runMulti } from './multi.js';
import type { Operation, Query, Result } from './operation.js';
import { operations, unavailableAnswer } from './operations.js';
import { sameSiteOnly, securityHeaders } from './security.js';

export interface ManagementOptions {
  /** Whether DELETE and POST are allowed (`kmp_rtmp_api write=on`). */
  readonly write: boolean;
  /** Log for failures of the service. Default: none. */
  readonly log?: Logger;
}

const MULTI_PATH: string = '/multi';
/** Maximum size of a body, in bytes: the default of nginx. */
const MAX_BODY = 2 ** 20;

/**
 * The management API (docs/protocol/behaviour.md, API endpoints), to be mounted at any path of any Express app:
 * `app.use('/kmp_rtmp_api', managementRouter(service, { write: false }))`. It answers everything below that path
 * itself, unknown paths with 404. All bodies are JSON; those of errors are an `ErrorBody`. Its OpenAPI document is at
 * `openapi.json`.
 *
 * It does not restrict access: use `accessControl` or `bearerToken` before it. Pages of other sites cannot use DELETE
 * or POST.
 */
export function managementRouter(management: Management, options: ManagementOptions): Router {
  const { write, log = noLog } = options;
  const router = express.Router({ caseSensitive: true });
  const routes = operations(management, { write });
  router.use(securityHeaders);
  if (!write) router.use(readOnly);
  router.use(sameSiteOnly);
  for (const { path, get, delete: remove, post, takesBody = false } of routes) {
    if (post && !write && !get) continue;
    const route = router.route(path);
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
    if (get) route.get(handler(get, names, noLog));
    if (write && remove) route.delete(handler(remove, names, log));
    if (write && post && takesBody) route.post(express.json({ limit: MAX_BODY, strict: false }));
    if (write && post) route.post(handler(post, names, log));
    const writes = [...(remove ? ['DELETE'] : []), ...(post ? ['POST'] : [])];
    allowOnly(route, [...(get ? ['GET', 'HEAD'] : []), ...(write ? writes : []), 'OPTIONS']);
  }
  if (write) {
    const multi = router.route(MULTI_PATH);
    multi.post(express.json({ limit: MAX_BODY, strict: false }));
    multi.post(async (req, res) =>
      respond(req, res, await runMulti(routes, req.body, { log, client: clientName(req), by: tokenName(req) })),
    );
    allowOnly(multi, ['POST', 'OPTIONS']);
  }
  router.use(notFound);
  router.use(errorHandler(log));
  return router;
}

/** @param log for a line about what the operation has changed, and who did it */
function handler(operation: Operation, names: readonly string[], log: Logger): RequestHandler {
  return async (req, res) => {
    const params = names.map((name) => {
      const value = req.params[name];
      return typeof value === 'string' ? value : '';
    });
    const result = await resultOf(operation(params, req.query['list'] === '1', queryOf(req), req.body, tokenName(req)));
    if (result.status < 300) log.info(changeText(req.method, req.path, clientName(req), result.note));
    await respond(req, res, result);
  };
}

/** The parameters of the query that occur once. */
function queryOf(req: Request): Query {
  const entries = Object.entries(req.query).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value]] : [],
  );
  return Object.assign(Object.create(null), Object.fromEntries(entries)) as Query;
}

/** @throws any error but `WorkerUnavailable` and `NodeUnavailable`, which are answers */
async function resultOf(result: Promise<Result>): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    const unavailable = unavailableAnswer(error);
    if (unavailable !== undefined) return unavailable;
    throw error;
  }
}

async function respond(req: Request, res: Response, result: Result): Promise<void> {
  const { status, body, pretty, missing = [], missingNodes = [], next } = result;
  const isPretty = body !== undefined && req.query['pretty'] === '1';
  const sent = isPretty ? await (pretty?.() ?? indented(body)) : body;
  if (next !== undefined)
    res.setHeader('X-Kmp-Rtmp-Next', encodeURIComponent(next.replace(/\p{Surrogate}/gu, '\ufffd')));
  if (missing.length > 0) res.setHeader('X-Kmp-Rtmp-Missing-Workers', missing.join(', '));
  if (missingNodes.length > 0) res.setHeader('X-Kmp-Rtmp-Missing-Nodes', missingNodes.join(', '));
  if (status === 503) res.setHeader('Retry-After', '2');
  if (sent === undefined) res.status(status).end();
  else answerBytes(res, sent, status);
}

/** JSON with the indentation of the nginx module. Clients that share a body also share its indented form. */
function indented(json: Buffer): Buffer {
  let found = indentedBodies.get(json);
  if (found === undefined) {
    found = Buffer.from(JSON.stringify(JSON.parse(json.toString()), null, 4));
    indentedBodies.set(json, found);
  }
  return found;
}

const indentedBodies = new WeakMap<Buffer, Buffer>();

/** Answers OPTIONS, and 405 to all methods that have no handler. */
function allowOnly(route: ReturnType<Router['route']>, methods: readonly string[]): void {
  const allowed = methods.join(', ');
  route.options((_req, res) => void res.status(204).setHeader('Allow', allowed).end());
  route.all((req, res) => methodNotAllowed(req, res, allowed));
}

const readOnly: RequestHandler = (req, res, next) => {
  if (req.method === 'GET' || req.method === 'HEAD' || req.method === 'OPTIONS') next();
  else methodNotAllowed(req, res, 'GET, HEAD, OPTIONS');
};

function methodNotAllowed(req: Request, res: Response, allowed: string): void {
  res.setHeader('Allow', allowed);
  answerError(res, 405, 'method_not_allowed', `${req.method} is not allowed here; allowed: ${allowed}`);
}
