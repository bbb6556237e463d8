import type { Clock } from '../../time/clock.js';
import type { Fence } from './ownership.js';

/**
 * How long a fence is kept, ms. Connect data that is signed is valid for 5 minutes (`SIGNATURE_LIFETIME`), so older
 * placements can arrive for that long.
 */
const LIFETIME = 600_000;
/** The most fences that are kept. The oldest ones are dropped. */
const MOST = 100_000;

/** The ids that other nodes own by now, each with its newest fence. */
export class Fences {
  /** By id; the oldest first. `until`: monotonic ms. */
  private readonly byId = new Map<string, { readonly fence: Fence; readonly until: number }>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  add(fence: Fence): void {
    const { byId, clock } = this;
    const known = byId.get(fence.id);
    if (known !== undefined && known.fence.epoch > fence.epoch) return;
    byId.delete(fence.id);
    byId.set(fence.id, { fence, until: clock.now() + LIFETIME });
    this.forgetOld();
  }

  get(id: string): Fence | undefined {
    const known = this.byId.get(id);
    if (known === undefined || known.until > this.clock.now()) return known?.fence;
    this.byId.delete(id);
    return undefined;
  }

  delete(id: string): void {
    this.byId.delete(id);
  }

  all(): Fence[] {
    this.forgetOld();
    return [...this.byId.values()].map(({ fence }) => fence);
  }

  private forgetOld(): void {
    const now = this.clock.now();
    for (const [id, { until }] of this.byId) {
      if (until > now && this.byId.size <= MOST) return;
      this.byId.delete(id);
    }
  }
}
