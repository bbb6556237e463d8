import type { Clock } from '../time/clock.js';
import { buildInfo, version } from '../base/version.js';
import type { ClosedRecord } from '../upstream/report/closed-record.js';
import type { ClosedQuery, ClosedUpstream } from '../upstream/report/closed.js';
import type { GlobalStatus, Management, OperatorOrder, OrderScope, UpstreamStatus } from '../upstream/report/status.js';
import type { Question } from './messages.js';
import { slotOf } from './rendezvous.js';
import type { Slot } from './slot.js';

/**
 * The management of all workers as one. The status names the workers that do not answer: their upstreams are not in it.
 */
export class ClusterManagement implements Management {
  private readonly startedAt: number;

  constructor(
    private readonly slots: readonly Slot[],
    private readonly record: Pick<ClosedRecord, 'list'>,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.now();
  }

  async status(): Promise<GlobalStatus> {
    const parts = await Promise.allSettled(this.slots.map((slot) => ask<GlobalStatus>(slot, { name: 'status' })));
    const upstreams = Object.create(null) as Record<string, UpstreamStatus>;
    const missing: number[] = [];
    for (const [slot, part] of parts.entries()) {
      if (part.status === 'rejected') missing.push(slot);
      else for (const [id, one] of Object.entries(part.value.upstreams)) upstreams[id] = one;
    }
    return {
      version,
      nginx_version: `node/${process.versions.node}`,
      compiler: buildInfo.compiler,
      built: buildInfo.built,
      pid: process.pid,
      uptime: Math.floor((this.clock.now() - this.startedAt) / 1000),
      upstreams,
      missing_workers: missing,
    };
  }

  async upstreamIds(): Promise<string[]> {
    return Object.keys((await this.status()).upstreams);
  }

  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    const slot = this.slotOf(id);
    if (slot === undefined) return undefined;
    const { upstreams } = await ask<GlobalStatus>(slot, { name: 'status' });
    return Object.hasOwn(upstreams, id) ? upstreams[id] : undefined;
  }

  closed(query?: ClosedQuery): Promise<readonly ClosedUpstream[]> {
    return Promise.resolve(this.record.list(query));
  }

  async dropUpstream(id: string): Promise<boolean> {
    const slot = this.slotOf(id);
    return slot !== undefined && ask<boolean>(slot, { name: 'dropUpstream', id });
  }

  /** An order for a route is for all workers. */
  async order(order: OperatorOrder, scope: OrderScope): Promise<number | undefined> {
    const slots = 'id' in scope ? [this.slotOf(scope.id)] : this.slots;
    const counts = await Promise.all(
      slots.map((slot) =>
        slot === undefined ? undefined : ask<number | undefined>(slot, { name: 'order', order, scope }),
      ),
    );
    const known = counts.filter((count) => count !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, count) => sum + count, 0);
  }

  async dropTrack(id: string, connection: number): Promise<boolean> {
    const slot = this.slotOf(id);
    return slot !== undefined && ask<boolean>(slot, { name: 'dropTrack', id, connection });
  }

  private slotOf(id: string): Slot | undefined {
    return this.slots[slotOf(id, this.slots.length)];
  }
}

function ask<T>(slot: Slot, what: Question): Promise<T> {
  return slot.ask(what) as Promise<T>;
}
