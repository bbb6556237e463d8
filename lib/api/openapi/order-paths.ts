import { error, json, noUpstream, pathId, upstream, writeErrors, type PathItem } from './openapi-parts.js';
import { ref } from './openapi-schemas.js';

const ORDERS = [
  [
    'disable',
    'its RTMP connection ends; its senders stay connected, ' +
      'and their frames are acknowledged and discarded, until it is enabled',
  ],
  ['enable', 'publish again, from a key frame on'],
  ['retry', 'make the next attempt to connect now'],
] as const;

const BAD_BODY = 'The body has no valid url or backup_urls, or an unknown member';

/** The orders of operators, for an upstream or for a route. */
export function orderPaths(): Record<string, PathItem> {
  const route = pathId(
    'route',
    'URL of a server with its app, without a stream, such as rtmp://host/app, percent-encoded',
  );
  const paths: Record<string, PathItem> = {};
  for (const [order, what] of ORDERS) {
    const errors = order === 'disable' ? { ...writeErrors, ...tooMany } : writeErrors;
    const name = order.charAt(0).toUpperCase() + order.slice(1);
    paths[`/upstreams/{upstream_id}/${order}`] = {
      post: {
        operationId: `${order}Upstream`,
        summary: `${name} an upstream: ${what}`,
        parameters: [upstream],
        responses: { 204: { description: 'Done' }, ...(order === 'disable' ? absent : noUpstream), ...errors },
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
          ...errors,
          400: badRoute,
        },
      },
    };
  }
  paths['/upstreams/{upstream_id}/elsewhere'] = {
    post: {
      operationId: 'sendUpstreamElsewhere',
      summary:
        'Send an upstream elsewhere: its RTMP connection ends in order, and another one begins at a key frame, while its senders stay connected. It lasts until it is taken back, also for upstreams that are created later',
      parameters: [upstream],
      requestBody: destinations,
      responses: { 204: { description: 'Done' }, ...absent, ...writeErrors, ...bodyErrors },
    },
    delete: {
      operationId: 'bringUpstreamBack',
      summary: 'Take the order back: the upstream publishes where its senders ask for',
      parameters: [upstream],
      responses: { 204: { description: 'Done' }, ...noUpstream, ...writeErrors },
    },
  };
  paths['/routes/{route}/elsewhere'] = {
    post: {
      operationId: 'sendRouteElsewhere',
      summary:
        'Send all upstreams elsewhere whose senders ask for an app of a server, present and later ones. The URLs end with the app: each stream keeps its name. An order for a single upstream comes before one for its route',
      parameters: [route],
      requestBody: destinations,
      responses: {
        200: json('How many upstreams are concerned now', ref('Concerned')),
        ...writeErrors,
        ...bodyErrors,
        400: error(`${BAD_BODY}, or the route is malformed or has a stream`),
      },
    },
    delete: {
      operationId: 'bringRouteBack',
      summary: 'Take the order back: the upstreams publish where their senders ask for',
      parameters: [route],
      responses: {
        200: json('How many upstreams are concerned now', ref('Concerned')),
        404: error('No upstream publishes there, or nothing was to be changed'),
        ...writeErrors,
        400: badRoute,
      },
    },
  };
  paths['/orders/{order}'] = {
    delete: {
      operationId: 'takeOrderBack',
      summary: 'Take an order back: the upstreams that it is about publish where their senders ask for',
      parameters: [pathId('order', 'number of the order, from GET /orders', 'integer')],
      responses: {
        204: { description: 'Done' },
        404: error('There is no order with this number'),
        ...writeErrors,
        400: error('It is not a number'),
      },
    },
  };
  return paths;
}

/** An order that stands can be given again, or changed, while its upstream is absent. */
const absent = { 404: error('There is no upstream with this id, and no such order for it') };

const badRoute = error('The route is malformed, or has a stream');

const destinations = {
  required: true,
  content: { 'application/json': { schema: ref('Destinations') } },
};

const tooMany = { 409: error('There are too many such orders (too_many_orders)') };

/** Errors of an order with URLs. Nothing was changed then. */
const bodyErrors = {
  400: error(`${BAD_BODY}, or the path is malformed`),
  ...tooMany,
  413: error('The body is larger than 1 MiB (body_too_large)'),
  415: error('The body is not a JSON object, or its Content-Type is not application/json'),
  422: error(
    'A URL is invalid or too long (bad_destination), its name has no address (destination_unresolved), or the service may not connect there (destination_refused)',
  ),
};
