import type { ServiceTotals } from '../upstream/report/totals.js';
import type { Slot } from './slot.js';

type Numbers = number | { [key: string]: Numbers };

/** `a` and `b`, number by number. */
function add(a: Numbers | undefined, b: Numbers): Numbers {
  if (typeof b === 'number') return (typeof a === 'number' ? a : 0) + b;
  const sum: { [key: string]: Numbers } = {};
  const before = typeof a === 'object' ? a : {};
  for (const key of Object.keys(b)) sum[key] = add(before[key], b[key] ?? 0);
  return sum;
}

/**
 * The sums over all workers, those that have died included. Of a worker that died, its last answer counts: what it
 * counted after that is missing, but the sums never get smaller.
 */
export class ClusterTotals {
  private readonly last = new Map<Slot, { generation: number; totals: Numbers }>();
  private gone: Numbers | undefined;

  constructor(private readonly slots: readonly Slot[]) {}

  async take(): Promise<ServiceTotals> {
    await Promise.allSettled(
      this.slots.map(async (slot) => {
        const { generation } = slot;
        const totals = (await slot.ask({ name: 'totals' })) as Numbers;
        const before = this.last.get(slot);
        if (before !== undefined && before.generation !== generation) this.gone = add(this.gone, before.totals);
        this.last.set(slot, { generation, totals });
      }),
    );
    let sum = this.gone;
    for (const { totals } of this.last.values()) sum = add(sum, totals);
    if (sum === undefined) throw new Error('no worker has answered yet');
    return sum as unknown as ServiceTotals;
  }
}
