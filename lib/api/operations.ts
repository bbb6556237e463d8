import { DEFAULT_CLOSED, MAX_CLOSED } from '../upstream/report/closed.js';
import type { GlobalStatus, Management } from '../upstream/report/status.js';
import { messageOf } from '../base/errors.js';
import { NodeUnavailable, WorkerUnavailable } from '../upstream/report/unavailable.js';
import { coalesce } from './coalesce.js';
import { jsonInParts } from './json-parts.js';
import { openApiDocument } from './openapi/openapi.js';
import { failure, noUpstream, ok, type PathOperations, type Query, type Result } from './operation.js';
import { drainOperations } from './drain.js';
import { orderOperations } from './orders.js';

const DROPPED: Result = { status: 204 };

type Parts = Pick<GlobalStatus, 'missing_workers' | 'missing_nodes' | 'missing_workers_of'>;

/** An answer made from answers of all workers and nodes. It names those that did not answer. */
function okOfAll(value: unknown, ...parts: readonly Parts[]): Result {
  return { ...ok(value), ...missingOf(parts) };
}

function missingOf(parts: readonly Parts[]): Pick<Result, 'missing' | 'missingNodes'> {
  const workers = new Set(parts.flatMap(({ missing_workers: numbers = [] }) => numbers));
  const nodes = new Set(parts.flatMap(({ missing_nodes: names = [] }) => names));
  const ofNodes = parts.flatMap(({ missing_workers_of: all = {} }) =>
    Object.entries(all).flatMap(([node, numbers]) => numbers.map((number) => `${node}/${number}`)),
  );
  const missing = [...[...workers].sort((a, b) => a - b), ...new Set(ofNodes)];
  return { missing, missingNodes: [...nodes].sort() };
}

/** Like {@link okOfAll}, for an answer that can have megabytes. */
async function largeOfAll<T extends object>(value: T, large: keyof T | undefined, all: GlobalStatus): Promise<Result> {
  const body = await jsonInParts(value, large);
  return { status: 200, body, pretty: once(() => jsonInParts(value, large, true)), ...missingOf([all]) };
}

/** Makes a result when it is first needed, and keeps it. */
function once<T>(make: () => T): () => T {
  let result: T | undefined;
  return () => (result ??= make());
}

/**
 * The answer if the worker of an upstream, or a node of the fleet, does not answer: nobody knows whether there is such
 * an upstream. undefined: it is another error.
 */
export function unavailableAnswer(error: unknown): Result | undefined {
  const code =
    error instanceof NodeUnavailable
      ? 'node_unavailable'
      : error instanceof WorkerUnavailable
        ? 'worker_unavailable'
        : undefined;
  if (code === undefined) return undefined;
  return failure(503, code, `${messageOf(error)}; its upstreams are not known. Try again in a few seconds`);
}

/** All operations of the management API (docs/protocol/behaviour.md, API endpoints). */
export function operations(management: Management, { write }: { readonly write: boolean }): readonly PathOperations[] {
  const document = ok(openApiDocument({ write }));
  // Simultaneous requests share the status of all upstreams, and the answers made from it.
  const whole = coalesce(async () => {
    const all = await management.status();
    return {
      status: once(() => largeOfAll(all, 'upstreams', all)),
      upstreams: once(() => largeOfAll(all.upstreams, undefined, all)),
    };
  });
  const upstreamIds = coalesce(() => management.upstreamIds());
  return [
    { path: '/', get: async (_, list) => (list ? ok(['multi', 'upstreams']) : (await whole()).status()) },
    { path: '/openapi.json', get: () => Promise.resolve(document) },
    {
      path: '/upstreams',
      async get(_, list, query) {
        const { limit, after } = query ?? {};
        if (limit === undefined && after === undefined) {
          if (!list) return (await whole()).upstreams();
          const known = await upstreamIds();
          return okOfAll(known.ids, known);
        }
        const most = pageSize(limit);
        if (most === undefined) return failure(400, 'bad_request', `"limit" is a number from 1 to ${MAX_PAGE}`);
        const known = await upstreamIds();
        const { ids, next } = page(known.ids, most, after);
        if (list) return { ...okOfAll(ids, known), next };
        const shown = await management.statusOf(ids);
        return { ...okOfAll(shown.upstreams, known, shown), next };
      },
    },
    { path: '/closed', get: (_, _list, query) => closed(management, query) },
    {
      path: '/upstreams/:upstream',
      async get([id = ''], list) {
        const upstream = await management.upstream(id);
        if (!upstream) return noUpstream(id);
        return ok(list ? ['streams', 'tracks'] : upstream);
      },
      delete: async ([id = '']) => ((await management.dropUpstream(id)) ? DROPPED : noUpstream(id)),
    },
    ...orderOperations(management),
    drainOperations(management),
    {
      path: '/upstreams/:upstream/streams',
      async get([id = ''], list) {
        const upstream = await management.upstream(id);
        if (!upstream) return noUpstream(id);
        return ok(list ? Object.keys(upstream.streams) : upstream.streams);
      },
    },
    {
      path: '/upstreams/:upstream/streams/:stream',
      async get([id = '', name = '']) {
        const upstream = await management.upstream(id);
        if (!upstream) return noUpstream(id);
        if (Object.hasOwn(upstream.streams, name)) return ok(upstream.streams[name]);
        return failure(404, 'not_found', 'the upstream has no stream with this name');
      },
    },
    {
      path: '/upstreams/:upstream/tracks/:connection',
      async delete([id = '', text = '']) {
        const connection = connectionId(text);
        if (connection === undefined) {
          return failure(400, 'bad_request', 'the connection id is a number: "connection" of a track\'s "input"');
        }
        if (await management.dropTrack(id, connection)) return DROPPED;
        return failure(404, 'not_found', 'there is no upstream with this id, or it has no such KMP connection');
      },
    },
  ];
}

/** Maximum number of upstreams on a page of the list. */
const MAX_PAGE = 1000;

function pageSize(limit = `${MAX_PAGE}`): number | undefined {
  const most = /^\d{1,4}$/.test(limit) ? Number(limit) : 0;
  return most < 1 || most > MAX_PAGE ? undefined : most;
}

/** The first `most` ids behind the id `after`, sorted. `next`: the last of them, if there are more. */
function page(
  all: readonly string[],
  most: number,
  after: string | undefined,
): { readonly ids: readonly string[]; readonly next: string | undefined } {
  const behind = all.filter((id) => after === undefined || id > after).sort();
  const ids = behind.slice(0, most);
  return { ids, next: behind.length > most ? ids.at(-1) : undefined };
}

async function closed(management: Management, { limit, upstream_id: upstreamId }: Query = {}): Promise<Result> {
  const most = limit === undefined ? DEFAULT_CLOSED : /^\d{1,9}$/.test(limit) ? Number(limit) : 0;
  if (most < 1) return failure(400, 'bad_request', `"limit" is a number from 1 to ${MAX_CLOSED}`);
  const records = await management.closed({ limit: Math.min(most, MAX_CLOSED), upstreamId });
  return { ...ok(records), missingNodes: records.missing_nodes };
}

function connectionId(text: string): number | undefined {
  const id = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(id) ? id : undefined;
}
