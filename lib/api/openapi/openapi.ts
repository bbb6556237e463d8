import { DEFAULT_CLOSED, MAX_CLOSED } from '../../upstream/report/closed.js';
import { version } from '../../base/version.js';
import { byId, ref, schemas, type Schema } from './openapi-schemas.js';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required?: boolean;
  readonly description: string;
  readonly schema: Schema;
}

interface ApiResponse {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, ApiResponse>>;
}

export interface PathItem {
  readonly get?: Operation;
  readonly post?: Operation;
  readonly delete?: Operation;
}

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

const json = (description: string, schema: Schema): ApiResponse => ({
  description,
  content: { 'application/json': { schema } },
});
const error = (description: string): ApiResponse => json(description, ref('Error'));
const pathId = (name: string, description: string, type = 'string'): Parameter => {
  return { name, in: 'path', required: true, description, schema: { type } };
};

const query = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string' },
});
const list = query('list', '1: return the ids only, as an array');
const listPaths = query('list', '1: return the names of the paths below this one, as an array');
const pretty = query('pretty', '1: indent the JSON');
const ids: Schema = { type: 'array', items: { type: 'string' } };
const upstream = pathId('upstream_id', 'id of the upstream, percent-encoded');
const noUpstream = { 404: error('There is no upstream with this id') };
const dropped: ApiResponse = { description: 'Dropped' };
// Errors of every route.
const commonErrors = {
  400: error('The path is malformed'),
  401: error('A token is required, or the token is not valid'),
  403: error('The address of the client, the role of its token, or the origin of the page is not allowed'),
  421: error('The Host is not a name of this server (server_name)'),
  500: error('The service failed; its log has the reason'),
  503: error(
    'The worker process that has the upstream does not answer or is being replaced, ' +
      'or all connections of this server are busy; try again after Retry-After',
  ),
};
const writeErrors = { ...commonErrors, 405: error('The API is read-only') };

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

const ORDERS = [
  [
    'disable',
    'its RTMP connection ends; its senders stay connected, ' +
      'and their frames are acknowledged and discarded, until it is enabled',
  ],
  ['enable', 'publish again, from a key frame on'],
  ['retry', 'make the next attempt to connect now'],
] as const;

/** The orders of operators, for an upstream or for a route. */
function orderPaths(): Record<string, PathItem> {
  const route = pathId('route', 'URL of a server with its app, such as rtmp://host/app, percent-encoded');
  const paths: Record<string, PathItem> = {};
  for (const [order, what] of ORDERS) {
    const name = order.charAt(0).toUpperCase() + order.slice(1);
    paths[`/upstreams/{upstream_id}/${order}`] = {
      post: {
        operationId: `${order}Upstream`,
        summary: `${name} an upstream: ${what}`,
        parameters: [upstream],
        responses: { 204: { description: 'Done' }, ...noUpstream, ...writeErrors },
      },
    };
    paths[`/routes/{route}/${order}`] = {
      post: {
        operationId: `${order}Route`,
        summary: `${name} all upstreams that publish to an app of a server, present and later ones`,
        parameters: [route],
        responses: {
          200: json('How many upstreams are concerned now', ref('Concerned')),
          404: error('No upstream publishes there, or nothing was to be changed'),
          ...writeErrors,
        },
      },
    };
  }
  return paths;
}

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
  const paths: Record<string, PathItem> = { ...readPaths };
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
