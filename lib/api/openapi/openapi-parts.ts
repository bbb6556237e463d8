import { ref, type Schema } from './openapi-schemas.js';

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required?: boolean;
  readonly description: string;
  readonly schema: Schema;
}

export interface ApiResponse {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export interface Operation {
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

export const json = (description: string, schema: Schema): ApiResponse => ({
  description,
  content: { 'application/json': { schema } },
});
export const error = (description: string): ApiResponse => json(description, ref('Error'));
export const pathId = (name: string, description: string, type = 'string'): Parameter => {
  return { name, in: 'path', required: true, description, schema: { type } };
};

export const query = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string' },
});
export const list = query('list', '1: return the ids only, as an array');
export const listPaths = query('list', '1: return the names of the paths below this one, as an array');
export const pretty = query('pretty', '1: indent the JSON');
export const ids: Schema = { type: 'array', items: { type: 'string' } };
export const upstream = pathId('upstream_id', 'id of the upstream, percent-encoded');
export const noUpstream = { 404: error('There is no upstream with this id') };
export const dropped: ApiResponse = { description: 'Dropped' };
// Errors of every route.
export const commonErrors = {
  400: error('The path is malformed'),
  401: error('A token is required, or the token is not valid'),
  403: error('The address of the client, the role of its token, or the origin of the page is not allowed'),
  421: error('The Host is not a name of this server (server_name)'),
  500: error('The service failed; its log has the reason'),
  503: error(
    'The worker or node that may have the upstream does not answer, ' +
      'or all connections of this server are busy; try again after Retry-After',
  ),
};
export const writeErrors = { ...commonErrors, 405: error('The API is read-only') };
