import { error, json, writeErrors, type Operation, type PathItem } from './openapi-parts.js';
import { ref } from './openapi-schemas.js';

const answers = {
  200: json('How far the drain is', ref('Drain')),
  404: error('This service is not a node of a fleet'),
};

function operation(operationId: string, summary: string, errors: Operation['responses'] = {}): Operation {
  return { operationId, summary, responses: { ...errors, ...answers } };
}

/** The drain of the node that answers. */
export function drainPath(write: boolean): PathItem {
  const get = operation('drainStatus', 'How far this node of a fleet is with giving its upstreams to other nodes');
  if (!write) return { get };
  return {
    get,
    post: operation(
      'drain',
      'Drain this node of a fleet: it gets no new upstreams, and its own move to other nodes, drain_rate a second, each at a key frame',
      writeErrors,
    ),
    delete: operation(
      'endDrain',
      'End the drain: the node takes upstreams again, and keeps those that have not moved',
      writeErrors,
    ),
  };
}
