import type { Clock } from '../time/clock.js';
import { buildInfo, version } from '../base/version.js';
import type { ClosedRecord } from '../upstream/report/closed-record.js';
import type { ClosedQuery, ClosedUpstream } from '../upstream/report/closed.js';
import type {
  GlobalStatus,
  Management,
  OperatorOrder,
  OrderScope,
  UpstreamIds,
  UpstreamStatus,
  UpstreamStatuses,
} from '../upstream/report/status.js';
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
    const { answers, missing } = await askAll<GlobalStatus>(this.slots.entries(), () => ({ name: 'status' }));
    return {
      version,
      nginx_version: `node/${process.versions.node}`,
      compiler: buildInfo.compiler,
      built: buildInfo.built,
      pid: process.pid,
      uptime: Math.floor((this.clock.now() - this.startedAt) / 1000),
      upstreams: together(answers),
      missing_workers: missing,
    };
  }

  async upstreamIds(): Promise<UpstreamIds> {
    const { answers, missing } = await askAll<UpstreamIds>(this.slots.entries(), () => ({ name: 'upstreamIds' }));
    return { ids: answers.flatMap(({ ids }) => ids), missing_workers: missing };
  }

  /** Asks only the workers that these upstreams belong to. */
  async statusOf(ids: readonly string[]): Promise<UpstreamStatuses> {
    const idsOf = this.slots.map((): string[] => []);
    for (const id of ids) idsOf[slotOf(id, this.slots.length)]?.push(id);
    const { answers, missing } = await askAll<UpstreamStatuses>(
      [...this.slots.entries()].filter(([slot]) => idsOf[slot]?.length !== 0),
      (slot) => ({ name: 'statusOf', ids: idsOf[slot] ?? [] }),
    );
    const all = together(answers);
    const upstreams = Object.create(null) as Record<string, UpstreamStatus>;
    for (const id of ids) if (all[id] !== undefined) upstreams[id] = all[id];
    return { upstreams, missing_workers: missing };
  }

  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    const slot = this.slotOf(id);
    return slot && ask<UpstreamStatus | undefined>(slot, { name: 'upstream', id });
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

/** The answers of workers, and the numbers of the workers that did not answer. */
async function askAll<T>(
  slots: Iterable<readonly [number, Slot]>,
  what: (slot: number) => Question,
): Promise<{ readonly answers: T[]; readonly missing: number[] }> {
  const asked = [...slots];
  const results = await Promise.allSettled(asked.map(([number, slot]) => ask<T>(slot, what(number))));
  const answers = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const missing = asked.flatMap(([number], n) => (results[n]?.status === 'rejected' ? [number] : []));
  return { answers, missing };
}

function together(answers: readonly UpstreamStatuses[]): Record<string, UpstreamStatus> {
  const all = Object.create(null) as Record<string, UpstreamStatus>;
  for (const { upstreams } of answers) for (const [id, one] of Object.entries(upstreams)) all[id] = one;
  return all;
}
