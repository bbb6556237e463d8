import { byId } from '../../management/ask-all.js';
import type { UpstreamStatus } from '../../upstream/report/status.js';

/** The upstreams of a node. */
export interface NodeUpstreams {
  readonly node: string;
  readonly upstreams: Readonly<Record<string, UpstreamStatus>>;
}

/** States in which an upstream is on air: of two with the same id, that one is shown. */
const ON_AIR: ReadonlySet<string> = new Set(['publishing', 'degraded', 'input_lost', 'input_stalled']);

/**
 * The upstreams of all nodes. While an id moves, two nodes have it: the one on air is shown, else that of the first
 * node, with the names of the others.
 */
export function togetherOfNodes(parts: readonly NodeUpstreams[]): Record<string, UpstreamStatus> {
  const all = byId<UpstreamStatus>();
  for (const { node, upstreams } of parts) {
    for (const [id, upstream] of Object.entries(upstreams)) {
      const own: UpstreamStatus = { ...upstream, node };
      const other = all[id];
      all[id] = other === undefined ? own : bothOf(other, own);
    }
  }
  return all;
}

function bothOf(one: UpstreamStatus, other: UpstreamStatus): UpstreamStatus {
  const [shown, hidden] = !ON_AIR.has(one.state) && ON_AIR.has(other.state) ? [other, one] : [one, other];
  const others = [...(one.also_on ?? []), hidden.node ?? ''];
  return { ...shown, also_on: others };
}
