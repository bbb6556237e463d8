import type { Clock, Timer } from '../time/clock.js';
import type { FleetEngine } from './engine/engine.js';
import type { OwnerRecord } from './node-record.js';

/** ms for which ids that begin are collected, so that a thousand senders cause ten claims. */
const COLLECT = 50;
/** ms for which an id that was placed here counts as load before its sender connects. */
const EXPECTED = 10_000;
/** The most ids that are expected. More are not counted. */
const MOST_EXPECTED = 100_000;

/** What the ids of this node need. */
export interface LiveIdsOptions {
  /** Name of this node. */
  readonly node: string;
  readonly clock: Clock;
  /** undefined: it is away, and all ids are claimed when it is back. */
  readonly engine: () => FleetEngine | undefined;
  /** Ids that are live here belong to other nodes. */
  readonly onMoved: (owners: readonly OwnerRecord[]) => void;
}

/** The upstream ids that are live at this node, and the claims that keep their records in the engine. */
export class LiveIds {
  /** The epoch of each; 0: not known yet. */
  private readonly epochs = new Map<string, number>();
  /** Ids that were placed here and have not begun, and until when they count (monotonic ms); the oldest first. */
  private readonly expected = new Map<string, number>();
  private readonly begun = new Set<string>();
  private timer: Timer | undefined;

  constructor(private readonly options: LiveIdsOptions) {}

  get all(): readonly string[] {
    return [...this.epochs.keys()];
  }

  /** Live ids, and those that will be within a few seconds. */
  get load(): number {
    const now = this.options.clock.now();
    for (const [id, until] of this.expected) {
      if (until > now) break;
      this.expected.delete(id);
    }
    return this.epochs.size + this.expected.size;
  }

  epochOf(id: string): number | undefined {
    return this.epochs.get(id);
  }

  /** @param epoch of the placement; undefined: there was none */
  began(id: string, epoch: number | undefined): void {
    this.epochs.set(id, Math.max(epoch ?? 0, this.epochs.get(id) ?? 0));
    this.expected.delete(id);
    this.begun.add(id);
    this.timer ??= this.options.clock.after(COLLECT, () => void this.claimBegun(), false);
  }

  /** Returns its epoch. */
  ended(id: string): number {
    const epoch = this.epochs.get(id) ?? 0;
    this.epochs.delete(id);
    this.begun.delete(id);
    return epoch;
  }

  /** An id has another owner. */
  changed(owner: OwnerRecord): void {
    if (owner.node !== this.options.node) this.apply([owner]);
    else if (!this.epochs.has(owner.id) && this.expected.size < MOST_EXPECTED) {
      this.expected.delete(owner.id);
      this.expected.set(owner.id, this.options.clock.now() + EXPECTED);
    }
  }

  /** Claims all live ids; resolves when the engine has them. @throws EngineUnavailable */
  async claimAll(engine: FleetEngine): Promise<void> {
    this.begun.clear();
    await this.claim(engine, [...this.epochs.keys()]);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private async claimBegun(): Promise<void> {
    this.timer = undefined;
    const engine = this.options.engine();
    const ids = [...this.begun];
    this.begun.clear();
    // A claim that fails means that the engine is away. All ids are claimed when it is back.
    if (engine !== undefined) await this.claim(engine, ids).catch(() => {});
  }

  private async claim(engine: FleetEngine, ids: readonly string[]): Promise<void> {
    this.apply(await engine.claim(this.options.node, this.liveOf(ids)));
  }

  /** An id that is released while others are claimed must not be claimed afterwards. */
  private *liveOf(ids: readonly string[]): Iterable<Omit<OwnerRecord, 'node'>> {
    for (const id of ids) {
      const epoch = this.epochs.get(id);
      if (epoch !== undefined) yield { id, epoch };
    }
  }

  private apply(owners: readonly OwnerRecord[]): void {
    const moved: OwnerRecord[] = [];
    for (const owner of owners) {
      const epoch = this.epochs.get(owner.id);
      // It has ended meanwhile, or was placed here again.
      if (epoch === undefined || epoch > owner.epoch) continue;
      if (owner.node === this.options.node) {
        this.epochs.set(owner.id, owner.epoch);
      } else {
        this.ended(owner.id);
        moved.push(owner);
      }
    }
    if (moved.length > 0) this.options.onMoved(moved);
  }
}
