import { rendezvousOrder } from './rendezvous.js';

/** A node that can own ids. */
export interface Candidate {
  readonly name: string;
  readonly alive: boolean;
  /** It takes no new ids. */
  readonly draining: boolean;
  /** The number of ids that it owns. */
  readonly load: number;
}

/** A node takes no further id at more than this share of the mean load, unless it has only a few. */
const MAX_SHARE = 1.25;
/** So many ids above the mean are always allowed: with a few ids, the mean says little. */
const SLACK = 2;

/**
 * The most ids that a node may own, with the one that is placed (consistent hashing with bounded loads).
 *
 * @param total ids of all nodes that take new ones, without the one that is placed
 * @param nodes the number of these nodes
 */
export function loadLimit(total: number, nodes: number): number {
  const mean = (total + 1) / Math.max(1, nodes);
  return Math.max(MAX_SHARE * mean, mean + SLACK);
}

/**
 * The owner of an id that has none: the first in the order of {@link rendezvousOrder} that is alive, does not drain,
 * and is not above {@link loadLimit}. If there is none, the least loaded that is alive; one that drains is the last
 * choice. The engine's script (lib/fleet/engine/scripts.ts) is the same rule.
 *
 * @returns undefined if no node is alive
 */
export function chooseOwner(id: string, nodes: readonly Candidate[], exclude?: string): string | undefined {
  const alive = nodes.filter((node) => node.alive && node.name !== exclude);
  const free = new Map(alive.filter(({ draining }) => !draining).map((node) => [node.name, node.load]));
  const total = [...free.values()].reduce((sum, load) => sum + load, 0);
  const limit = loadLimit(total, free.size);
  const order = rendezvousOrder(
    id,
    alive.map(({ name }) => name),
  );
  return (
    order.find((name) => (free.get(name) ?? Infinity) + 1 <= limit) ??
    leastLoaded(alive.filter(({ draining }) => !draining)) ??
    leastLoaded(alive)
  );
}

function leastLoaded(nodes: readonly Candidate[]): string | undefined {
  const [least] = nodes.toSorted((a, b) => a.load - b.load || (a.name < b.name ? -1 : 1));
  return least?.name;
}
