import { version } from '../base/version.js';
import { byId, ref, schemas, type Schema } from './openapi-schemas.js';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required?: boolean;
  readonly description: string;
  readonly schema: Schema;
}

interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface PathItem {
  readonly get?: Operation;
  readonly delete?: Operation;
}

/** As much of an OpenAPI 3.1 document as the management API needs. */
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

const json = (description: string, schema: Schema): Answer => ({
  description,
  content: { 'application/json': { schema } },
});
const error = (description: string): Answer => json(description, ref('Error'));
const pathId = (name: string, description: string, type = 'string'): Parameter => {
  return { name, in: 'path', required: true, description, schema: { type } };
};

const list: Parameter = {
  name: 'list',
  in: 'query',
  description: '1: only the ids, as an array',
  schema: { type: 'string' },
};
const ids: Schema = { type: 'array', items: { type: 'string' } };
const upstream = pathId('upstream_id', 'id of the upstream, percent-encoded');
const noUpstream = { 404: error('No upstream has this id') };
const dropped: Answer = { description: 'Dropped' };
// Of every route: what stands before the API, and the API's own 405.
const common = {
  400: error('The path is malformed'),
  401: error('A token is needed'),
  403: error('The address of the client, or the page that the request came from, is not allowed'),
  421: error('Over loopback: the Host is none that the server is known as'),
  500: error('The service failed; its log says why'),
};
const changing = { ...common, 405: error('The API is read-only') };

const readPaths = {
  '/': {
    get: {
      operationId: 'getStatus',
      summary: 'The whole status',
      responses: { 200: json('The whole status', ref('Global')), ...common },
    },
  },
  '/upstreams': {
    get: {
      operationId: 'getUpstreams',
      summary: 'All upstreams, or their ids',
      parameters: [list],
      responses: {
        200: json('Upstreams by id, or with list=1 the ids', {
          oneOf: [byId(ref('Upstream'), 'by upstream id'), ids],
        }),
        ...common,
      },
    },
  },
  '/upstreams/{upstream_id}': {
    get: {
      operationId: 'getUpstream',
      summary: 'One upstream',
      parameters: [upstream],
      responses: { 200: json('The upstream', ref('Upstream')), ...noUpstream, ...common },
    },
  },
  '/upstreams/{upstream_id}/streams': {
    get: {
      operationId: 'getStreams',
      summary: 'The streams of an upstream, or their names',
      parameters: [upstream, list],
      responses: {
        200: json('Streams by name, or with list=1 the names', { oneOf: [byId(ref('Stream'), 'by name'), ids] }),
        ...noUpstream,
        ...common,
      },
    },
  },
  '/upstreams/{upstream_id}/streams/{stream_name}': {
    get: {
      operationId: 'getStream',
      summary: 'One stream',
      parameters: [upstream, pathId('stream_name', 'name of the stream, percent-encoded')],
      responses: { 200: json('The stream', ref('Stream')), 404: error('No such upstream or stream'), ...common },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      summary: 'This document',
      responses: { 200: json('This document', { type: 'object' }), ...common },
    },
  },
} satisfies Record<string, PathItem>;

const dropUpstream: Operation = {
  operationId: 'dropUpstream',
  summary: 'Drop an upstream, with all KMP connections to it',
  parameters: [upstream],
  responses: { 204: dropped, ...noUpstream, ...changing },
};

const dropTrack: Operation = {
  operationId: 'dropTrack',
  summary: 'Drop one KMP connection of an upstream',
  parameters: [upstream, pathId('connection', "number of the connection, from a track's input", 'integer')],
  responses: {
    204: dropped,
    404: error('No such upstream, or it has no such connection'),
    ...changing,
    400: error('The connection id is not a number'),
  },
};

/**
 * The OpenAPI 3.1 description of the management API, as it is served at `openapi.json` beside it.
 * @param options.write whether the API can also DELETE
 */
export function openApiDocument(options: { readonly write: boolean }): OpenApiDocument {
  const one = '/upstreams/{upstream_id}';
  const paths: Record<string, PathItem> = { ...readPaths };
  if (options.write) {
    paths[one] = { ...readPaths[one], delete: dropUpstream };
    paths[`${one}/tracks/{connection}`] = { delete: dropTrack };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'kmp-rtmp management API',
      version,
      description: 'Status of all upstreams, streams and tracks. Stream names may be stream keys: limit the access.',
    },
    // Relative to the place of this document, which is wherever the API is mounted.
    servers: [{ url: '.' }],
    paths,
    components: { schemas, securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    // The token is optional: a location may be set up without one.
    security: [{}, { token: [] }],
  };
}
