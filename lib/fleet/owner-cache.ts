import type { OwnerRecord } from './node-record.js';

/** Owners that are kept: more than a controller answers for within an outage of the engine. */
const MOST = 50_000;

/** The owners that this node has heard of last, for the time without the engine. Of bounded size. */
export class OwnerCache {
  /** The one that was used longest ago first. */
  private readonly owners = new Map<string, OwnerRecord>();

  get(id: string): OwnerRecord | undefined {
    const owner = this.owners.get(id);
    if (owner !== undefined) this.put(owner);
    return owner;
  }

  /** Keeps the newer one of two owners. Epoch 0 was given without the engine, after what is known. */
  set(owner: OwnerRecord): void {
    const known = this.owners.get(owner.id);
    if (known === undefined || owner.epoch === 0 || owner.epoch >= known.epoch) this.put(owner);
  }

  delete(id: string): void {
    this.owners.delete(id);
  }

  private put(owner: OwnerRecord): void {
    this.owners.delete(owner.id);
    this.owners.set(owner.id, owner);
    if (this.owners.size <= MOST) return;
    for (const oldest of this.owners.keys()) {
      this.owners.delete(oldest);
      return;
    }
  }
}
