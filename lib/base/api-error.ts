import type { ErrorCode } from './errors.js';

/** When an answer has an error code, and with which HTTP status. */
interface ApiErrorRow {
  readonly status: number;
  readonly when: string;
}

/** All codes of errors in HTTP answers. The OpenAPI document and docs/api.md are made from this table. */
export const API_ERRORS = {
  bad_request: { status: 400, when: 'the request, its path, a parameter or its body is malformed' },
  unauthorized: { status: 401, when: 'a token is required, or the token is not valid' },
  forbidden: { status: 403, when: 'the address of the client or the role of its token is not allowed' },
  cross_site: { status: 403, when: 'the request comes from a page of another site' },
  not_found: { status: 404, when: 'there is nothing at this path, or no upstream, stream or connection of this name' },
  method_not_allowed: { status: 405, when: 'the path does not have this method, or the API is read-only' },
  request_timeout: { status: 408, when: 'the request did not arrive completely in time' },
  too_many_orders: { status: 409, when: 'there are too many orders of operators already' },
  body_too_large: { status: 413, when: 'the body is too large' },
  too_many_requests: { status: 413, when: 'the body of `POST /multi` has too many requests' },
  unsupported_body: { status: 415, when: 'the body is not of a type, charset or form that is read here' },
  unsupported_request: { status: 415, when: 'a request in the body of `POST /multi` is not one that can be run' },
  unknown_host: { status: 421, when: 'the host of the request is not a name of this server (`server_name`)' },
  bad_destination: { status: 422, when: 'a URL of an order is invalid or too long' },
  destination_refused: { status: 422, when: 'the service is not allowed to connect to a URL of an order' },
  destination_unresolved: { status: 422, when: 'the host of a URL of an order has no address' },
  headers_too_large: { status: 431, when: 'the headers are larger than 16 KiB' },
  internal_error: { status: 500, when: 'the service failed; its log has the reason' },
  not_ready: { status: 503, when: 'the service is starting or shutting down (health check)' },
  busy: { status: 503, when: 'too many large answers are being sent to slow clients' },
  too_many_connections: { status: 503, when: 'all connections of this server are busy' },
  too_many_viewers: { status: 503, when: 'too many status pages are open' },
  worker_unavailable: { status: 503, when: 'the worker process that has the upstream does not answer' },
  node_unavailable: { status: 503, when: 'a node of the fleet does not answer, and no other node has the upstream' },
  fleet_protocol: { status: 404, when: 'another node of the fleet asks in another version of the protocol' },
  answer_too_large: { status: 507, when: 'the answers of `POST /multi` are too large together' },
} as const satisfies Readonly<Record<ErrorCode, ApiErrorRow>>;

export type ApiErrorCode = keyof typeof API_ERRORS;

/** The HTTP status of an error code. */
export type ApiErrorStatus<Code extends ApiErrorCode> = (typeof API_ERRORS)[Code]['status'];

/** Body of every error answer. `error` is stable, and programs may test it; `message` is for people. */
export interface ErrorBody {
  readonly error: ApiErrorCode;
  readonly message: string;
}

const BY_STATUS: ReadonlyMap<number, ApiErrorCode> = new Map([
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [408, 'request_timeout'],
  [413, 'body_too_large'],
  [415, 'unsupported_body'],
  [431, 'headers_too_large'],
]);

/** The code for an error of the client that a library has found, such as the parser of bodies. */
export function clientErrorCode(status: number): ApiErrorCode {
  return BY_STATUS.get(status) ?? 'bad_request';
}

/** The 4xx status of an error that a library of the HTTP server has thrown; undefined for all other errors. */
export function clientErrorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
