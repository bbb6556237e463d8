import type { FleetPlacement } from '../../kmp/connect-data.js';
import type { CloseReason } from '../report/close-reason.js';
import type { Ownership } from './ownership.js';

/** The upstream ids of this process with their epochs, as the placements of their senders have them. */
export class OwnedIds {
  private readonly epochs = new Map<string, number | undefined>();

  /** @param ownership default: it is not reported */
  constructor(private readonly ownership: Ownership | undefined) {}

  /** undefined: there is no such upstream, or none of its senders was placed. */
  epochOf(id: string): number | undefined {
    return this.epochs.get(id);
  }

  /** A sender joins. The first one begins the upstream; a later one may bring a newer epoch. */
  joined(id: string, placement: FleetPlacement | undefined): void {
    const isNew = !this.epochs.has(id);
    const known = this.epochs.get(id);
    const epoch = placement?.epoch;
    if (!isNew && (epoch === undefined || epoch <= (known ?? -1))) return;
    this.epochs.set(id, epoch);
    this.ownership?.began(id, epoch);
  }

  ended(id: string, reason: CloseReason): void {
    if (!this.epochs.has(id)) return;
    const epoch = this.epochs.get(id);
    this.epochs.delete(id);
    this.ownership?.ended(id, epoch, reason);
  }
}
