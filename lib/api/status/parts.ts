import type { GlobalStatus } from '../../upstream/report/status.js';
import type { NodeInfo, PartsInfo } from './public/data/wire.js';
import { shorten } from './rows.js';

/** The nodes and the missing workers for the page; undefined: there is no fleet, and all workers answer. */
export function partsOf({ node: self, nodes, missing_workers: workers = [] }: GlobalStatus): PartsInfo | undefined {
  if (nodes === undefined) return workers.length === 0 ? undefined : { nodes: [], missingWorkers: workers };
  const infos = Object.entries(nodes).map(([name, one]): NodeInfo => ({
    name,
    self: name === self,
    version: shorten(one.version),
    draining: one.draining,
    missing: one.missing === null ? null : shorten(one.missing),
    upstreams: one.upstreams,
    missingWorkers: one.missing_workers,
  }));
  return { nodes: infos.sort((a, b) => (a.name < b.name ? -1 : 1)), missingWorkers: [] };
}
