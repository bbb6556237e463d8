import type { ConnectData } from '../kmp/connect-data.js';
import type { Clock } from '../time/clock.js';
import { OwnerGate } from '../upstream/ownership/owner-gate.js';
import type { Fence, FleetSide, FleetTable } from '../upstream/ownership/ownership.js';
import type { JoinContext, Registry } from '../upstream/registry.js';
import { SenderRejected } from '../upstream/tracks/track-refused.js';
import type { Upstream } from '../upstream/upstream.js';

/** The orders of a fleet, carried out at the upstreams of this process. */
export class LocalFleetSide implements FleetSide {
  /** Decides which connections belong to this node. */
  readonly gate: OwnerGate;

  constructor(
    private readonly registry: Registry,
    clock: Clock,
  ) {
    this.gate = new OwnerGate(clock, (id) => registry.epochOf(id));
  }

  /**
   * Finds or creates the upstream of a track, unless it belongs to another node by now: connections are judged when
   * their connect data has arrived, and their media may come later.
   *
   * @throws SenderRejected, and as {@link Registry.join}
   */
  join(data: ConnectData, context: JoinContext, codec: number): Upstream {
    const verdict = this.gate.judge(data.upstreamId, data.fleet);
    if (verdict === 'here') return this.registry.join(data, context, codec);
    if ('refusal' in verdict) throw new SenderRejected(verdict.refusal, `${verdict.refusal}: ${verdict.message}`);
    throw new SenderRejected('fleet_misplaced', `fleet_misplaced: its node is ${JSON.stringify(verdict.relay.name)}`);
  }

  setTable(table: FleetTable): void {
    this.gate.setTable(table);
  }

  fence(fences: readonly Fence[]): void {
    for (const fence of fences) {
      this.gate.fence(fence);
      this.registry.fence(fence);
    }
  }

  keyFrame(id: string): Promise<void> {
    return this.registry.keyFrame(id);
  }

  moveAway(id: string): Promise<boolean> {
    return this.registry.moveAway(id);
  }
}
