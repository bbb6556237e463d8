import type { FleetPlacement } from '../../kmp/connect-data.js';
import type { Clock } from '../../time/clock.js';
import { Fences } from './fences.js';
import type { Fence, FleetMember, FleetTable } from './ownership.js';

/** Why a track does not belong to this node: it is another's, or its placement is older than a later one. */
export type Misplacement = 'fleet_misplaced' | 'fleet_stale';

/**
 * How far an epoch may be ahead of this machine's clock, ms: the engine makes them from its own. A sender could
 * otherwise exclude all others from its upstream with an epoch that no placement reaches.
 */
const EPOCH_AHEAD = 86_400_000;

/** Where a track belongs: here, at another node, or nowhere with the placement that it has. */
export type Verdict =
  'here' | { readonly relay: FleetMember } | { readonly refusal: Misplacement; readonly message: string };

/**
 * Decides which tracks this node accepts (docs/fleet.md). Without a fleet, all of them. It never asks the engine: it
 * decides by the connect data and by what this process knows.
 */
export class OwnerGate {
  private table: FleetTable | undefined;
  private readonly fences: Fences;

  /** @param epochOf the epoch of an upstream that is live in this process; undefined: there is none, or it has none */
  constructor(
    private readonly clock: Pick<Clock, 'now' | 'wall'>,
    private readonly epochOf: (id: string) => number | undefined,
  ) {
    this.fences = new Fences(clock);
  }

  /** True if there is a fleet: connections must be judged before they are opened. */
  get isActive(): boolean {
    return this.table !== undefined;
  }

  setTable(table: FleetTable): void {
    this.table = table;
  }

  /** The id belongs to another node. Placements up to this epoch are refused from now on. */
  fence(fence: Fence): void {
    this.fences.add(fence);
  }

  /** @param placement of the connect data; undefined: its controller has not placed it */
  judge(id: string, placement: FleetPlacement | undefined): Verdict {
    const { table } = this;
    if (table === undefined) return 'here';
    const fence = this.fences.get(id);
    // Never passed on: without a placement, two nodes that each know the other one as the owner would do so for ever.
    if (placement === undefined) return fence === undefined ? 'here' : misplaced(id, fence.node);
    const { node, epoch } = placement;
    if (epoch > this.clock.wall() + EPOCH_AHEAD) return fromFuture(id, epoch);
    const newest = Math.max(fence?.epoch ?? -1, this.epochOf(id) ?? -1);
    // Epoch 0 was given without the engine. It is not older than any other.
    if (epoch !== 0 && epoch < newest) return stale(id, epoch, newest);
    if (node !== table.self) return this.elsewhere(id, node, table);
    if (fence !== undefined && epoch <= fence.epoch) return stale(id, epoch, fence.epoch);
    if (fence !== undefined) this.fences.delete(id);
    return 'here';
  }

  private elsewhere(id: string, node: string, { self, misplaced: what, nodes }: FleetTable): Verdict {
    const there = nodes.find(({ name }) => name === node);
    const here = nodes.find(({ name }) => name === self);
    // Two nodes with the same address are a fault of the configuration. A relay to itself would never end.
    const isSelf = there !== undefined && there.host === here?.host && there.port === here.port;
    if (what === 'refuse' || there === undefined || isSelf) return misplaced(id, node);
    return { relay: there };
  }
}

function misplaced(id: string, node: string): Verdict {
  const message = `the upstream ${quoted(id)} is placed at node ${quoted(node)}, not here`;
  return { refusal: 'fleet_misplaced', message };
}

function stale(id: string, epoch: number, newest: number): Verdict {
  const message = `the placement of the upstream ${quoted(id)} has epoch ${epoch}, and there is epoch ${newest}`;
  return { refusal: 'fleet_stale', message };
}

function fromFuture(id: string, epoch: number): Verdict {
  const message = `the placement of the upstream ${quoted(id)} has epoch ${epoch}, which is more than a day ahead`;
  return { refusal: 'fleet_stale', message };
}

/** Senders choose ids and names, and their length is not checked yet. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 256));
}
