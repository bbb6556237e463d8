import type { DrainControl, DrainStatus } from '../upstream/report/drain.js';
import type { Management } from '../upstream/report/status.js';
import { failure, ok, type PathOperations, type Result } from './operation.js';

/** Draining this node of a fleet (docs/api.md, POST /fleet/drain). */
export function drainOperations(management: Pick<Management, 'drain'>): PathOperations {
  const answer = (what: (drain: DrainControl) => DrainStatus): Promise<Result> => {
    const { drain } = management;
    if (drain !== undefined) return Promise.resolve(ok(what(drain)));
    return Promise.resolve(failure(404, 'not_found', 'this service is not a node of a fleet: it has no "fleet" block'));
  };
  return {
    path: '/fleet/drain',
    get: () => answer((drain) => drain.status()),
    post: () => answer((drain) => drain.begin()),
    delete: () => answer((drain) => drain.end()),
  };
}
