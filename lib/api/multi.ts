import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { loggablePath } from './answer.js';
import { failure, type PathOperations, type Result } from './operation.js';
import { unavailableAnswer } from './operations.js';

/** Maximum number of requests in one body. */
const MAX_REQUESTS = 1000;
/**
 * Maximum size of all bodies in one answer, in bytes. A GET that does not fit, and all requests behind the limit, are
 * answered with 507.
 */
const MAX_ANSWER = 64 * 2 ** 20;

const UNSUPPORTED = 415;

export interface MultiContext {
  readonly log: Logger;
  /** Who sent the request, for the log. */
  readonly client: string;
  /** Name of its token; null: there is none. */
  readonly by: string | null;
}

/** The log line of a request that has changed something. @param note what was changed */
export function changeText(method: string, path: string, client: string, note?: string): string {
  return `API: ${method} ${loggablePath(path)} done, for ${client}${note === undefined ? '' : `: ${note}`}`;
}

/**
 * Runs several requests one after the other: `POST /multi` of the nginx module. `body` is a list of `{ "method": "GET",
 * "uri": "/upstreams" }`. Segments of `uri` are not percent-decoded, as in the module.
 *
 * @returns 200 and a list of `{ "code": 200, "body": ... }` in the same order; `body` is absent for 204. Or an error if
 *   `body` is not such a list, or too long.
 */
export async function runMulti(routes: readonly PathOperations[], body: unknown, from: MultiContext): Promise<Result> {
  if (!Array.isArray(body) || body.length === 0 || !body.every(isObject)) {
    return failure(UNSUPPORTED, 'unsupported_body', 'the body must be a list of objects with "method" and "uri"');
  }
  if (body.length > MAX_REQUESTS) {
    return failure(413, 'too_many_requests', `the body has ${body.length} requests; the maximum is ${MAX_REQUESTS}`);
  }
  const parts: Buffer[] = [];
  let size = 0;
  for (const request of body) {
    // What comes after the limit is not run: it would take time, or change something and not say so.
    const isFull = size > MAX_ANSWER;
    let result = isFull ? undefined : await run(routes, request, from);
    size += result?.body?.length ?? 0;
    // A request that changes something keeps its answer, which is small: 507 would say that nothing was done.
    if (result === undefined || (size > MAX_ANSWER && Reflect.get(request, 'method') === 'GET')) {
      result = failure(507, 'answer_too_large', `the answers exceed ${MAX_ANSWER} bytes`);
    }
    parts.push(Buffer.from(`${parts.length === 0 ? '[' : '},'}{"code":${result.status}`));
    const { missingNodes = [] } = result;
    if (missingNodes.length > 0) parts.push(Buffer.from(`,"missing_nodes":${JSON.stringify(missingNodes)}`));
    if (result.body !== undefined) parts.push(Buffer.from(',"body":'), result.body);
  }
  parts.push(Buffer.from('}]'));
  return { status: 200, body: Buffer.concat(parts) };
}

async function run(
  routes: readonly PathOperations[],
  request: object,
  { log, client, by }: MultiContext,
): Promise<Result> {
  const method: unknown = Reflect.get(request, 'method');
  const uri: unknown = Reflect.get(request, 'uri');
  if (typeof method !== 'string' || !/^(GET|POST|PUT|DELETE)$/.test(method) || typeof uri !== 'string' || uri === '') {
    return failure(UNSUPPORTED, 'unsupported_request', 'expected a "method" (GET, DELETE or POST) and a "uri"');
  }
  const [path = '', query = ''] = splitQuery(uri);
  const found = match(
    routes,
    path.split('/').filter((segment) => segment !== ''),
  );
  if (found === undefined) return failure(404, 'not_found', `there is nothing at ${path.slice(0, 200)}`);
  const operation =
    method === 'GET'
      ? found.route.get
      : method === 'DELETE'
        ? found.route.delete
        : method === 'POST'
          ? found.route.post
          : undefined;
  if (operation === undefined) return failure(405, 'method_not_allowed', `${method} is not allowed here`);
  const body: unknown = Reflect.get(request, 'body') ?? undefined;
  if (body !== undefined && !(method === 'POST' && found.route.takesBody === true)) {
    return failure(UNSUPPORTED, 'unsupported_request', `"body" is not allowed with ${method}`);
  }
  try {
    const result = await operation(found.params, query === 'list=1', undefined, body, by);
    if (method !== 'GET' && result.status < 300) log.info(changeText(method, path, client, result.note));
    return result;
  } catch (error) {
    const unavailable = unavailableAnswer(error);
    if (unavailable !== undefined) return unavailable;
    log.error(`HTTP multi: ${method} ${loggablePath(path)} failed: ${messageOf(error)}`, { error });
    return failure(500, 'internal_error', 'the request failed; see the log of the service');
  }
}

/** Splits off `?list=1`. Any other "?" belongs to the path, because ids are not percent-encoded here. */
function splitQuery(uri: string): [path: string, query?: string] {
  return uri.endsWith('?list=1') ? [uri.slice(0, -'?list=1'.length), 'list=1'] : [uri];
}

function match(
  routes: readonly PathOperations[],
  segments: readonly string[],
): { readonly route: PathOperations; readonly params: readonly string[] } | undefined {
  for (const route of routes) {
    const pattern = route.path.split('/').filter((segment) => segment !== '');
    if (pattern.length !== segments.length) continue;
    if (!pattern.every((part, index) => part.startsWith(':') || part === segments[index])) continue;
    return { route, params: segments.filter((_, index) => pattern[index]?.startsWith(':') === true) };
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
