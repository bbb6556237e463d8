import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { noLog, type Logger } from '../base/logger.js';
import type { Management } from '../upstream/report/status.js';
import { answerBytes, answerError, answerJson, errorHandler, jsonBytes, notFound } from './answer.js';
import { openApiDocument } from './openapi.js';
import { sameSiteOnly, securityHeaders } from './security.js';
import { shared } from './shared.js';

export interface ManagementOptions {
  /** Whether DELETE is allowed (`kmp_rtmp_api write=on`). */
  readonly write: boolean;
  /** Where failures of the service behind the API are written to; default: nowhere. */
  readonly log?: Logger;
}

type Handler = (req: Request, res: Response) => Promise<void> | void;

/** What a path answers. GET also answers HEAD; whatever is missing answers 405. */
interface Routes {
  readonly [path: string]: { readonly get?: Handler; readonly delete?: Handler };
}

/**
 * The management API (docs/protocol/behaviour.md, API endpoints), to be mounted at any path of any Express app:
 * `app.use('/kmp_rtmp_api', managementRouter(service, { write: false }))`. It answers everything below that path itself,
 * unknown routes with 404; all bodies are JSON, those of errors an `ErrorBody`. It describes itself at `openapi.json`.
 *
 * Access is the business of what stands before it: `accessControl`, `bearerToken`. Pages of other sites cannot DELETE.
 */
export function managementRouter(management: Management, options: ManagementOptions): Router {
  const router = express.Router({ caseSensitive: true });
  router.use(securityHeaders);
  if (!options.write) router.use(readOnly);
  router.use(sameSiteOnly);
  for (const [path, handlers] of Object.entries(routes(management, options))) {
    const remove = options.write ? handlers.delete : undefined;
    const allowed = [...(handlers.get ? ['GET', 'HEAD'] : []), ...(remove ? ['DELETE'] : []), 'OPTIONS'].join(', ');
    const route = router.route(path);
    if (handlers.get) route.get(handlers.get);
    if (remove) route.delete(remove);
    route.options((_req, res) => void res.status(204).setHeader('Allow', allowed).end());
    route.all((req, res) => methodNotAllowed(req, res, allowed));
  }
  router.use(notFound);
  router.use(errorHandler(options.log ?? noLog));
  return router;
}

function routes(management: Management, { write }: ManagementOptions): Routes {
  const document = openApiDocument({ write });
  const everything = shared(async () => jsonBytes(await management.status()));
  const upstreams = shared(async () => jsonBytes((await management.status()).upstreams));
  return {
    '/': { get: async (_req, res) => answerBytes(res, await everything()) },
    '/openapi.json': { get: (_req, res) => answerJson(res, document) },
    '/upstreams': {
      async get(req, res) {
        if (asList(req)) answerJson(res, await management.upstreamIds());
        else answerBytes(res, await upstreams());
      },
    },
    '/upstreams/:upstream': {
      async get(req, res) {
        const upstream = await management.upstream(param(req, 'upstream'));
        if (upstream) answerJson(res, upstream);
        else noUpstream(req, res);
      },
      async delete(req, res) {
        if (await management.dropUpstream(param(req, 'upstream'))) res.status(204).end();
        else noUpstream(req, res);
      },
    },
    '/upstreams/:upstream/streams': {
      async get(req, res) {
        const upstream = await management.upstream(param(req, 'upstream'));
        if (upstream) answerJson(res, asList(req) ? Object.keys(upstream.streams) : upstream.streams);
        else noUpstream(req, res);
      },
    },
    '/upstreams/:upstream/streams/:stream': {
      async get(req, res) {
        const upstream = await management.upstream(param(req, 'upstream'));
        const name = param(req, 'stream');
        if (!upstream) noUpstream(req, res);
        else if (Object.hasOwn(upstream.streams, name)) answerJson(res, upstream.streams[name]);
        else answerError(res, 404, 'not_found', 'the upstream has no stream of this name');
      },
    },
    '/upstreams/:upstream/tracks/:connection': {
      async delete(req, res) {
        const connection = connectionId(param(req, 'connection'));
        if (connection === undefined) {
          answerError(res, 400, 'bad_request', 'the connection id is a number: "connection" of a track\'s "input"');
        } else if (await management.dropTrack(param(req, 'upstream'), connection)) res.status(204).end();
        else answerError(res, 404, 'not_found', 'no upstream of this id, or it has no such KMP connection');
      },
    },
  };
}

const readOnly: RequestHandler = (req, res, next) => {
  if (req.method === 'GET' || req.method === 'HEAD' || req.method === 'OPTIONS') next();
  else methodNotAllowed(req, res, 'GET, HEAD, OPTIONS');
};

function methodNotAllowed(req: Request, res: Response, allowed: string): void {
  res.setHeader('Allow', allowed);
  answerError(res, 405, 'method_not_allowed', `${req.method} is not allowed here; allowed: ${allowed}`);
}

function noUpstream(req: Request, res: Response): void {
  answerError(res, 404, 'not_found', `no upstream has the id ${JSON.stringify(param(req, 'upstream').slice(0, 200))}`);
}

/** `?list=1`: ids only. */
function asList(req: Request): boolean {
  return req.query['list'] === '1';
}

function param(req: Request, name: string): string {
  const value = req.params[name];
  return typeof value === 'string' ? value : '';
}

function connectionId(text: string): number | undefined {
  const id = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(id) ? id : undefined;
}
