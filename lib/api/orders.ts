import { API_ERRORS } from '../base/api-error.js';
import { maskUrl } from '../base/mask.js';
import {
  isRefusal,
  type ElsewhereUrls,
  type OperatorOrder,
  type OrderAnswer,
  type OrderRefusal,
  type StandingOrder,
} from '../upstream/report/orders.js';
import type { Management } from '../upstream/report/status.js';
import { failure, noUpstream, ok, type PathOperations, type Result } from './operation.js';

const ORDERS: readonly OperatorOrder[] = ['disable', 'enable', 'retry'];

const DONE: Result = { status: 204 };

/** The orders of operators, for an upstream and for a route (docs/api.md). */
export function orderOperations(management: Management): readonly PathOperations[] {
  return [
    { path: '/orders', get: async () => ok(await management.orders()) },
    {
      path: '/orders/:order',
      delete: async ([text = ''], _list, _query, _body, by) => {
        const order = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
        if (order === undefined) return failure(400, 'bad_request', 'an order has a number: "order" in GET /orders');
        const known = (await management.orders()).find((one) => one.order === order);
        const answer = await management.takeBack(order, by);
        if (isRefusal(answer)) return refused(answer);
        if (answer === undefined) return failure(404, 'not_found', 'there is no order with this number');
        const missingNodes = typeof answer === 'number' ? undefined : answer.missing_nodes;
        return { ...DONE, missingNodes, ...(known === undefined ? {} : { note: orderText(known) }) };
      },
    },
    ...ORDERS.map((order): PathOperations => ({
      path: `/upstreams/:upstream/${order}`,
      post: async ([id = ''], _list, _query, _body, by) => ofUpstream(id, await management.order(order, { id }, by)),
    })),
    ...ORDERS.map((order): PathOperations => ({
      path: `/routes/:route/${order}`,
      post: ([route = ''], _list, _query, _body, by) => ofRoute(route, () => management.order(order, { route }, by)),
    })),
    {
      path: '/upstreams/:upstream/elsewhere',
      takesBody: true,
      post: async ([id = ''], _list, _query, body, by) =>
        withUrls(body, async (to) => ofUpstream(id, await management.sendElsewhere({ id }, to, by))),
      delete: async ([id = '']) => ofUpstream(id, await management.sendElsewhere({ id }, undefined)),
    },
    {
      path: '/routes/:route/elsewhere',
      takesBody: true,
      post: ([route = ''], _list, _query, body, by) =>
        withUrls(body, (to) => ofRoute(route, () => management.sendElsewhere({ route }, to, by))),
      delete: ([route = '']) => ofRoute(route, () => management.sendElsewhere({ route }, undefined)),
    },
  ];
}

/** An order that was taken back, for the log. */
function orderText({ kind, upstream_id: id, route, url }: StandingOrder): string {
  const what = kind === 'disabled' ? 'disabled' : `sent to ${url ?? ''}`;
  return id === null ? `all upstreams to ${route ?? ''} were ${what}` : `upstream ${id} was ${what}`;
}

function ofUpstream(id: string, answer: OrderAnswer): Result {
  if (isRefusal(answer)) return refused(answer);
  if (answer === undefined) return noUpstream(id);
  return typeof answer === 'number' ? DONE : { ...DONE, missingNodes: answer.missing_nodes };
}

async function ofRoute(route: string, order: () => Promise<OrderAnswer>): Promise<Result> {
  if (!/^rtmps?:\/\/[^/]+\/[^/]+/i.test(route)) {
    return failure(400, 'bad_request', 'a route is the URL of a server with its app, such as rtmp://host/app');
  }
  // The order would be for all streams of the app.
  if (!/^rtmps?:\/\/[^/]+\/[^/]+\/?$/i.test(route)) {
    const instead = 'an order for one stream is given to its upstream: .../upstreams/{id}/...';
    return failure(400, 'bad_request', `a route ends with the app, and this one has a stream; ${instead}`);
  }
  const answer = await order();
  if (isRefusal(answer)) return refused(answer);
  if (answer === undefined)
    return failure(404, 'not_found', 'no upstream publishes there, or nothing was to be changed');
  return typeof answer === 'number' ? ok({ upstreams: answer }) : { ...ok(answer), missingNodes: answer.missing_nodes };
}

/** Nothing was changed: an order that clashes with the number of others (409), or that cannot be carried out (422). */
function refused({ error, message }: OrderRefusal): Result {
  return failure(API_ERRORS[error].status, error, message);
}

/** Reads the body `{ "url": ..., "backup_urls": [...] }`. The log shows the URLs masked. */
async function withUrls(body: unknown, send: (to: ElsewhereUrls) => Promise<Result>): Promise<Result> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return failure(415, 'unsupported_body', 'the body must be a JSON object with "url", and application/json its type');
  }
  const unknown = Object.keys(body).find((name) => name !== 'url' && name !== 'backup_urls');
  if (unknown !== undefined) {
    const what = JSON.stringify(unknown.slice(0, 40));
    return failure(400, 'bad_request', `the body has an unknown member, ${what}; expected "url" and "backup_urls"`);
  }
  const url = field(body, 'url');
  const backupUrls = field(body, 'backup_urls') ?? [];
  if (typeof url !== 'string' || url === '') return failure(400, 'bad_request', '"url" must be a URL');
  if (!isListOfUrls(backupUrls)) return failure(400, 'bad_request', '"backup_urls" must be an array of URLs');
  const result = await send({ url, backupUrls });
  return { ...result, note: [url, ...backupUrls].map(maskUrl).join(', ') };
}

function field(body: object, name: string): unknown {
  return Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;
}

function isListOfUrls(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '');
}
