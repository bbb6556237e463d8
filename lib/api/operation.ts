import type { ApiErrorCode, ApiErrorStatus, ErrorBody } from '../base/api-error.js';
import { jsonBytes } from './answer.js';

/** Result of an operation: an HTTP status, and the body as JSON unless the status is 204. */
export interface Result {
  readonly status: number;
  readonly body?: Buffer;
  /** Makes the body with line breaks and indentation. Without it, that is made from the body. */
  readonly pretty?: () => Promise<Buffer>;
  /** The workers that the answer lacks, by number; those of another node of a fleet as `NODE/NUMBER`. */
  readonly missing?: readonly (number | string)[];
  /** The nodes of the fleet that the answer lacks, or that an order has not reached yet, by name. */
  readonly missingNodes?: readonly string[] | undefined;
  /** Where the next page of a list begins. */
  readonly next?: string | undefined;
  /** What the log says about the change, without secrets. */
  readonly note?: string;
}

/** The parameters of the query of a request, by name. */
export type Query = Readonly<Record<string, string | undefined>>;

/**
 * @param params the values of the parameters of the path, decoded, in their order
 * @param list whether only names are requested (`list=1`)
 * @param query all parameters of the query; none in POST /multi
 * @param body the JSON of the body, if there is one and the operation takes it
 * @param by name of the token of the request; null: there is none
 */
export type Operation = (
  params: readonly string[],
  list: boolean,
  query?: Query,
  body?: unknown,
  by?: string | null,
) => Promise<Result>;

/** The operations at one path. `path` has a leading ":" in the segments that are parameters. */
export interface PathOperations {
  readonly path: string;
  readonly get?: Operation;
  readonly delete?: Operation;
  readonly post?: Operation;
  /** True if `post` takes a body of JSON. */
  readonly takesBody?: boolean;
}

export function ok(value: unknown): Result {
  return { status: 200, body: jsonBytes(value) };
}

export function failure<Code extends ApiErrorCode>(status: ApiErrorStatus<Code>, error: Code, message: string): Result {
  const body: ErrorBody = { error, message };
  return { status, body: jsonBytes(body) };
}

export function noUpstream(id: string): Result {
  return failure(404, 'not_found', `there is no upstream with the id ${JSON.stringify(id.slice(0, 200))}`);
}
