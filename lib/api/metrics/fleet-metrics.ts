import type { Sample, SampledMetric } from './metric.js';

/** What a node knows about its fleet, and what it has counted since its start. */
export interface FleetCounts {
  /** Whether the engine answers. */
  readonly engineUp: boolean;
  /** All nodes with this one. `draining` ones get no new upstreams; `dead` ones have given no sign of life lately. */
  readonly nodes: Readonly<Record<'alive' | 'draining' | 'dead', number>>;
  readonly placements: number;
  /** Placements without the engine. */
  readonly fallbacks: number;
  readonly takeovers: number;
  readonly fenced: number;
  /** Whether each of the other nodes has answered this one last; undefined: it was not asked yet. */
  readonly peers: ReadonlyMap<string, boolean | undefined>;
}

/** Metrics of a node of a fleet. The `node` in labels is the other one. */
export const FLEET_METRICS: readonly SampledMetric<FleetCounts>[] = [
  {
    type: 'gauge',
    name: 'fleet_engine_up',
    help: '1 if the engine of the fleet answers this node, else 0: new upstreams are placed by the nodes last known',
    labels: [],
    samples: ({ engineUp }) => [[{}, Number(engineUp)]],
  },
  {
    type: 'gauge',
    name: 'fleet_nodes',
    help: 'Nodes of the fleet, by state',
    labels: ['state'],
    samples: ({ nodes }) => Object.entries(nodes).map(([state, count]): Sample => [{ state }, count]),
  },
  counter('fleet_placements_total', 'Upstreams that this node has placed', (f) => f.placements),
  counter('fleet_fallbacks_total', 'Upstreams that this node has placed without the engine', (f) => f.fallbacks),
  counter(
    'fleet_takeovers_total',
    'Upstreams that this node has given to another node, because their owner did not answer',
    (f) => f.takeovers,
  ),
  counter(
    'fleet_fenced_total',
    'Upstreams that have ended on this node because another node owns them (fleet_moved)',
    (f) => f.fenced,
  ),
  {
    type: 'gauge',
    name: 'fleet_peer_up',
    help: '1 if the other node answers this one within peer_timeout, else 0; its upstreams are missing in the views then',
    labels: ['node'],
    samples: ({ peers }) =>
      [...peers].flatMap(([node, up]): Sample[] => (up === undefined ? [] : [[{ node }, Number(up)]])),
  },
];

function counter(name: string, help: string, value: (counts: FleetCounts) => number): SampledMetric<FleetCounts> {
  return { type: 'counter', name, help, labels: [], samples: (counts) => [[{}, value(counts)]] };
}
