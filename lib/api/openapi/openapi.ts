import { DEFAULT_CLOSED, MAX_CLOSED } from '../../upstream/report/closed.js';
import { version } from '../../base/version.js';
import {
  commonErrors,
  dropped,
  error,
  ids,
  json,
  list,
  listPaths,
  noUpstream,
  pathId,
  pretty,
  query,
  upstream,
  writeErrors,
  type Operation,
  type PathItem,
} from './openapi-parts.js';
import { byId, ref, schemas, type Schema } from './openapi-schemas.js';
import { drainPath } from './drain-paths.js';
import { orderPaths } from './order-paths.js';

/** The part of an OpenAPI 3.1 document that the management API uses. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, PathItem>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Readonly<Record<string, { readonly type: string; readonly scheme: string }>>;
  };
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
}

const readPaths = {
  '/': {
    get: {
      operationId: 'getStatus',
      summary: 'The complete status',
      parameters: [listPaths, pretty],
      responses: {
        200: json('The complete status, or with list=1 the paths', { oneOf: [ref('Global'), ids] }),
        ...commonErrors,
      },
    },
  },
  '/upstreams': {
    get: {
      operationId: 'getUpstreams',
      summary: 'All upstreams, or their ids',
      parameters: [
        list,
        query(
          'limit',
          'maximum number of upstreams of a page, sorted by id, 1 to 1000; default: all, or 1000 with after',
        ),
        query(
          'after',
          'id, percent-encoded: the page begins behind it. ' +
            'The header X-Kmp-Rtmp-Next has the value for the next page, and is absent on the last one',
        ),
        pretty,
      ],
      responses: {
        200: json('Upstreams by id, or with list=1 the ids', {
          oneOf: [byId(ref('Upstream'), 'by upstream id'), ids],
        }),
        ...commonErrors,
      },
    },
  },
  '/upstreams/{upstream_id}': {
    get: {
      operationId: 'getUpstream',
      summary: 'One upstream',
      parameters: [upstream, listPaths, pretty],
      responses: {
        200: json('The upstream, or with list=1 the paths', { oneOf: [ref('Upstream'), ids] }),
        ...noUpstream,
        ...commonErrors,
      },
    },
  },
  '/upstreams/{upstream_id}/streams': {
    get: {
      operationId: 'getStreams',
      summary: 'The streams of an upstream, or their names',
      parameters: [upstream, list, pretty],
      responses: {
        200: json('Streams by name, or with list=1 the names', { oneOf: [byId(ref('Stream'), 'by name'), ids] }),
        ...noUpstream,
        ...commonErrors,
      },
    },
  },
  '/upstreams/{upstream_id}/streams/{stream_name}': {
    get: {
      operationId: 'getStream',
      summary: 'One stream',
      parameters: [upstream, pathId('stream_name', 'name of the stream, percent-encoded'), pretty],
      responses: {
        200: json('The stream', ref('Stream')),
        404: error('There is no such upstream or stream'),
        ...commonErrors,
      },
    },
  },
  '/closed': {
    get: {
      operationId: 'getClosed',
      summary: 'How upstreams have ended, the last end first',
      parameters: [
        {
          name: 'limit',
          in: 'query',
          description: `most records in the answer, up to ${MAX_CLOSED}; default ${DEFAULT_CLOSED}`,
          schema: { type: 'integer', minimum: 1 },
        },
        query('upstream_id', 'only the records of this upstream'),
        pretty,
      ],
      responses: { 200: json('The records', { type: 'array', items: ref('ClosedUpstream') }), ...commonErrors },
    },
  },
  '/orders': {
    get: {
      operationId: 'getOrders',
      summary:
        'The orders of operators that are in force, the latest first, also those for upstreams that are not present',
      parameters: [pretty],
      responses: { 200: json('The orders', { type: 'array', items: ref('StandingOrder') }), ...commonErrors },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      summary: 'This document',
      parameters: [pretty],
      responses: { 200: json('This document', { type: 'object' }), ...commonErrors },
    },
  },
} satisfies Record<string, PathItem>;

const dropUpstream: Operation = {
  operationId: 'dropUpstream',
  summary: 'Drop an upstream with all its KMP connections',
  parameters: [upstream],
  responses: { 204: dropped, ...noUpstream, ...writeErrors },
};

const dropTrack: Operation = {
  operationId: 'dropTrack',
  summary: 'Drop one KMP connection of an upstream',
  parameters: [upstream, pathId('connection', "number of the connection, from a track's input", 'integer')],
  responses: {
    204: dropped,
    404: error('There is no such upstream or connection'),
    ...writeErrors,
    400: error('The connection id is not a number'),
  },
};

const multi: Operation = {
  operationId: 'multi',
  summary: 'Run several requests one after the other',
  parameters: [pretty],
  requestBody: {
    required: true,
    content: { 'application/json': { schema: { type: 'array', items: ref('MultiRequest') } } },
  },
  responses: {
    200: json('The results, in the same order', { type: 'array', items: ref('MultiResult') }),
    ...writeErrors,
    413: error('The body is larger than 1 MiB, or has more than 1000 requests'),
    415: error('The body is not a JSON list of objects, or its Content-Type is not application/json'),
  },
};

/**
 * The OpenAPI 3.1 document of the management API, served at `openapi.json`.
 * @param options.write whether the API also has DELETE and POST
 */
export function openApiDocument(options: { readonly write: boolean }): OpenApiDocument {
  const one = '/upstreams/{upstream_id}';
  const paths: Record<string, PathItem> = { ...readPaths, '/fleet/drain': drainPath(options.write) };
  if (options.write) {
    paths[one] = { ...readPaths[one], delete: dropUpstream };
    paths[`${one}/tracks/{connection}`] = { delete: dropTrack };
    Object.assign(paths, orderPaths());
    paths['/multi'] = { post: multi };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'kmp-rtmp management API',
      version,
      description: 'Status of all upstreams, streams and tracks. Stream names may be stream keys: restrict access.',
    },
    // Relative to this document, because the API can be mounted anywhere.
    servers: [{ url: '.' }],
    paths,
    components: { schemas, securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    // The token is optional: a location may have none.
    security: [{}, { token: [] }],
  };
}
