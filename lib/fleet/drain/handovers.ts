import type { Clock, Timer } from '../../time/clock.js';

/** ms between two questions. */
const INTERVAL = 200;
/** ms in which senders ask where to go on. An upstream that is not placed by then has no sender. */
const NO_SENDER = 2000;
/** ms after which an upstream is late. One that nothing delays is on air after a second. */
const LATE = 2000;
/** The longest wait for an upstream, ms. */
const LIMIT = 5000;

/** Where an upstream is that has left: `placed` at another node, or on air there. */
export type Elsewhere = 'placed' | 'published';
/** Tells where upstreams are by now; those that are nowhere are left out. */
export type AskElsewhere = (ids: readonly string[]) => Promise<ReadonlyMap<string, Elsewhere>>;

interface Handover {
  readonly beganAt: number;
  readonly resolve: (soon: boolean) => void;
}

/** Watches the upstreams that have left this node, until other nodes have them on air. */
export class Handovers {
  private readonly open = new Map<string, Handover>();
  private timer: Timer | undefined;
  private asking = false;

  constructor(
    private readonly clock: Clock,
    private readonly ask: AskElsewhere,
  ) {}

  /** Resolves when the upstream is on air, or has no sender; false: late, or not within 5 s. */
  watch(id: string): Promise<boolean> {
    this.settle(id, true);
    return new Promise((resolve) => {
      this.open.set(id, { beganAt: this.clock.now(), resolve });
      this.later();
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    for (const id of [...this.open.keys()]) this.settle(id, true);
  }

  private later(): void {
    if (this.asking || this.open.size === 0) return;
    this.timer ??= this.clock.after(INTERVAL, () => void this.look(), false);
  }

  private async look(): Promise<void> {
    this.timer = undefined;
    this.asking = true;
    const found = await this.ask([...this.open.keys()]).catch(() => new Map<string, Elsewhere>());
    this.asking = false;
    const now = this.clock.now();
    for (const [id, { beganAt }] of [...this.open]) {
      const where = found.get(id);
      const took = now - beganAt;
      if (where === 'published') this.settle(id, took <= LATE);
      else if (where === undefined && took >= NO_SENDER) this.settle(id, true);
      else if (took >= LIMIT) this.settle(id, false);
    }
    this.later();
  }

  private settle(id: string, soon: boolean): void {
    this.open.get(id)?.resolve(soon);
    this.open.delete(id);
  }
}
