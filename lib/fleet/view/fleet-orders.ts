import { createHash } from 'node:crypto';
import type { NodeManagement } from '../../management/node-management.js';
import type { Clock } from '../../time/clock.js';
import { Orders, scopeKey } from '../../upstream/orders/orders.js';
import type { Elsewhere, OrderNote, OrderScope, StandingOrder } from '../../upstream/report/orders.js';
import type { OrderRecord } from '../peers/fleet-question.js';

/** How long a node may be away, ms, and still learn that an order was taken back. */
const KEPT = 24 * 3600 * 1000;
/** How far the clock of another node may be ahead, ms. */
const AHEAD = 24 * 3600 * 1000;
/** The most records of orders that were taken back. */
const MAX_TAKEN_BACK = 10_000;

/**
 * The standing orders of the fleet. Every node has all of them, so that an upstream that another node takes over still
 * follows them. The latest record about the same upstream or route is in force; records of orders that were taken back
 * are kept for a day. Nodes give each other their records, in any order and any number of times.
 */
export class FleetOrders {
  private readonly records = new Map<string, OrderRecord>();
  private book = new Orders(numberOf);
  private hash: string | undefined;

  constructor(
    private readonly management: Pick<NodeManagement, 'loadOrders'>,
    private readonly clock: Clock,
  ) {}

  /** Differs between nodes that have different orders in force. */
  get digest(): string {
    if (this.hash === undefined) {
      const inForce = [...this.records].filter(([, { order }]) => order !== null);
      const texts = inForce.map(([key, { at }]) => `${key} ${at}`).sort();
      this.hash = createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 16);
    }
    return this.hash;
  }

  /** For other nodes. They contain stream keys. */
  all(): readonly OrderRecord[] {
    return [...this.records.values()];
  }

  /** For operators, the latest first. The numbers are the same on all nodes. */
  list(): readonly StandingOrder[] {
    return this.book.list().sort((a, b) => Date.parse(b.since) - Date.parse(a.since) || a.order - b.order);
  }

  find(order: number): ReturnType<Orders['find']> {
    return this.book.find(order);
  }

  hasRoom(...order: Parameters<Orders['hasRoom']>): boolean {
    return this.book.hasRoom(...order);
  }

  /**
   * This node has carried out an order.
   *
   * @param order null: the order before was taken back
   * @returns what other nodes have to know; undefined if nothing has changed
   */
  set(kind: OrderRecord['kind'], scope: OrderScope, order: OrderNote | Elsewhere | null): OrderRecord | undefined {
    const key = keyOf(kind, scope);
    if (key === undefined) return undefined;
    const before = this.records.get(key);
    const inForce = before !== undefined && before.order !== null;
    // An order that is given again keeps its time.
    if (order === null ? !inForce : inForce && kind === 'disabled') return undefined;
    // Clocks of nodes differ: an order of now is later than all that this node knows.
    const at = Math.max(Math.floor(this.clock.wall()), (before?.at ?? 0) + 1);
    const record = { kind, scope, at, order };
    this.put(key, record);
    this.load();
    return record;
  }

  /** Takes over the records of another node that are later than those of this node. */
  merge(records: readonly OrderRecord[]): void {
    const oldest = this.clock.wall() - KEPT;
    const newest = this.clock.wall() + AHEAD;
    let changed = false;
    for (const record of records) {
      const key = keyOf(record.kind, record.scope);
      if (key === undefined) continue;
      // The clock of a node is wrong. No later order would ever be later than this one.
      if (record.at > newest) continue;
      const before = this.records.get(key);
      if (before === undefined && record.order === null && record.at < oldest) continue;
      if (before !== undefined && !isLater(record, before)) continue;
      this.put(key, record);
      changed = true;
    }
    if (changed) this.load();
  }

  private put(key: string, record: OrderRecord): void {
    // The latest one is the last one of the map.
    this.records.delete(key);
    this.records.set(key, record);
    this.hash = undefined;
  }

  /** The node follows the orders that are in force now. */
  private load(): void {
    this.forget();
    this.book = new Orders(numberOf);
    for (const [key, { kind, scope, order }] of this.records) {
      if (order === null) continue;
      const change = isElsewhere(kind, order) ? this.book.send(scope, order) : this.book.disable(scope, order);
      if (change === 'full') this.records.delete(key);
    }
    this.management.loadOrders(this.book.snapshot());
  }

  private forget(): void {
    const oldest = this.clock.wall() - KEPT;
    const takenBack = [...this.records].filter(([, { order }]) => order === null);
    const tooMany = takenBack.length - MAX_TAKEN_BACK;
    for (const [n, [key, { at }]] of takenBack.entries()) if (n < tooMany || at < oldest) this.records.delete(key);
  }
}

function isElsewhere(kind: OrderRecord['kind'], order: OrderNote | Elsewhere): order is Elsewhere {
  return kind === 'elsewhere' && 'url' in order;
}

function keyOf(kind: OrderRecord['kind'], scope: OrderScope): string | undefined {
  const key = scopeKey(scope);
  return key === undefined ? undefined : `${kind} ${key}`;
}

/** All nodes decide alike, also between two records of the same time. */
function isLater(one: OrderRecord, other: OrderRecord): boolean {
  return one.at > other.at || (one.at === other.at && JSON.stringify(one.order) > JSON.stringify(other.order));
}

/** The same on all nodes: 1 to 15 digits. */
function numberOf(kind: StandingOrder['kind'], scope: OrderScope): number {
  const hash = createHash('sha256')
    .update(keyOf(kind, scope) ?? '')
    .digest();
  return (hash.readUIntBE(0, 6) % 999_999_999_999_999) + 1;
}
