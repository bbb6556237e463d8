import type { Clock } from '../time/clock.js';
import { slotOf } from '../placement/rendezvous.js';
import { Fences } from '../upstream/ownership/fences.js';
import type { Fence, FleetSide, FleetTable, Ownership } from '../upstream/ownership/ownership.js';
import type { CloseReason } from '../upstream/report/close-reason.js';
import type { ToWorker } from './messages.js';

/** The longest answer to an order, ms: the media side itself takes up to 10 s. */
const ANSWER_TIMEOUT = 12_000;

/** What the fleet needs of the place of a worker. */
interface WorkerSlot {
  tell(message: ToWorker): void;
  order(kind: 'keyFrame' | 'moveAway', id: string, timeout: number): Promise<unknown>;
}

/** Passes the orders of a fleet on to the workers that they concern, and what workers report to the fleet. */
export class ClusterFleetSide implements FleetSide {
  /** For workers that are started. */
  table: FleetTable | undefined;
  private readonly known: Fences;
  /** The upstreams of each slot with their epochs. */
  private readonly live: Map<string, number | undefined>[];

  /** @param ownership takes the ids that begin and end; default: nobody does */
  constructor(
    private readonly slots: readonly WorkerSlot[],
    clock: Clock,
    private readonly ownership: Ownership | undefined,
  ) {
    this.known = new Fences(clock);
    this.live = slots.map(() => new Map());
  }

  get fences(): Fence[] {
    return this.known.all();
  }

  setTable(table: FleetTable): void {
    this.table = table;
    for (const slot of this.slots) slot.tell({ kind: 'fleet', table });
  }

  /** All workers get them: each one accepts connections, and passes them on. */
  fence(fences: readonly Fence[]): void {
    for (const fence of fences) this.known.add(fence);
    for (const slot of this.slots) slot.tell({ kind: 'fence', fences });
  }

  async keyFrame(id: string): Promise<void> {
    await this.slotOf(id)?.order('keyFrame', id, ANSWER_TIMEOUT);
  }

  async moveAway(id: string): Promise<boolean> {
    return (await this.slotOf(id)?.order('moveAway', id, ANSWER_TIMEOUT)) === true;
  }

  began(slot: number, id: string, epoch: number | undefined): void {
    this.live[slot]?.set(id, epoch);
    this.ownership?.began(id, epoch);
  }

  ended(slot: number, id: string, epoch: number | undefined, reason: CloseReason): void {
    this.live[slot]?.delete(id);
    this.ownership?.ended(id, epoch, reason);
  }

  /** Its upstreams are lost. This node still owns them: their senders return to the next worker of the slot. */
  workerDied(slot: number): void {
    const lost = [...(this.live[slot] ?? [])];
    this.live[slot]?.clear();
    for (const [id, epoch] of lost) this.ownership?.ended(id, epoch, 'shutdown');
  }

  private slotOf(id: string): WorkerSlot | undefined {
    return this.slots[slotOf(id, this.slots.length)];
  }
}
