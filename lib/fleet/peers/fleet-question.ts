import type { Question } from '../../management/question.js';
import type { ClosedQuery } from '../../upstream/report/closed.js';
import type { Elsewhere, OperatorOrder, OrderNote, OrderScope } from '../../upstream/report/orders.js';
import { MAX_IDS } from './protocol.js';
import { isObject } from './shape.js';

/** A standing order, or its end. The latest record about the same upstream or route is in force on all nodes. */
export interface OrderRecord {
  readonly kind: 'disabled' | 'elsewhere';
  readonly scope: OrderScope;
  /** When it was given or taken back, ms since 1970. */
  readonly at: number;
  /** null: it was taken back. */
  readonly order: OrderNote | Elsewhere | null;
}

/** What only nodes are asked, and workers are not. */
export type FleetQuestion =
  /** Whether it answers. */
  | { readonly name: 'ping' }
  /** All its standing orders, and those that were taken back lately. */
  | { readonly name: 'orders' }
  | { readonly name: 'giveOrders'; readonly orders: readonly OrderRecord[] };

/** Reads a question. undefined: it has another form, or this version does not know it. */
export function readQuestion(value: unknown): Question | FleetQuestion | undefined {
  if (!isObject(value)) return undefined;
  const { name, id, ids, scope, connection } = value;
  switch (name) {
    case 'status':
    case 'upstreamIds':
    case 'totals':
    case 'process':
    case 'ping':
    case 'orders':
      return { name };
    case 'statusOf':
      return isTexts(ids) && ids.length <= MAX_IDS ? { name, ids } : undefined;
    case 'upstream':
    case 'dropUpstream':
      return typeof id === 'string' ? { name, id } : undefined;
    case 'dropTrack':
      return typeof id === 'string' && typeof connection === 'number' ? { name, id, connection } : undefined;
    case 'closed': {
      const query = closedQuery(value['query']);
      return query && { name, query };
    }
    case 'giveOrders': {
      const orders = readRecords(value['orders']);
      return orders && { name, orders };
    }
  }
  return isScope(scope) ? scopedQuestion(value, scope) : undefined;
}

function scopedQuestion(value: Record<string, unknown>, scope: OrderScope): Question | undefined {
  const { name, order, note, to } = value;
  if (name === 'order') return isOrder(order) && isNote(note) ? { name, order, scope, note } : undefined;
  if (name === 'checkElsewhere') return isElsewhere(to) ? { name, scope, to } : undefined;
  if (name !== 'applyElsewhere') return undefined;
  if (to === undefined) return { name, scope, to };
  return isElsewhere(to) ? { name, scope, to } : undefined;
}

/** Reads records of orders. undefined: one of them has another form. */
export function readRecords(value: unknown): OrderRecord[] | undefined {
  return Array.isArray(value) && value.every(isRecord) ? value : undefined;
}

function isRecord(value: unknown): value is OrderRecord {
  if (!isObject(value) || !isScope(value['scope']) || !Number.isSafeInteger(value['at'])) return false;
  const { kind, order } = value;
  if (kind !== 'disabled' && kind !== 'elsewhere') return false;
  return order === null || (kind === 'disabled' ? isNote(order) : isElsewhere(order));
}

function closedQuery(value: unknown): ClosedQuery | undefined {
  if (!isObject(value)) return undefined;
  const { limit, upstreamId } = value;
  const isLimit = limit === undefined || (typeof limit === 'number' && limit >= 1);
  if (!isLimit || (upstreamId !== undefined && typeof upstreamId !== 'string')) return undefined;
  return { limit, upstreamId };
}

function isScope(value: unknown): value is OrderScope {
  if (!isObject(value) || Object.keys(value).length !== 1) return false;
  return typeof value['id'] === 'string' || typeof value['route'] === 'string';
}

function isOrder(value: unknown): value is OperatorOrder {
  return value === 'disable' || value === 'enable' || value === 'retry';
}

function isNote(value: unknown): value is OrderNote {
  if (!isObject(value) || !isTime(value['since'])) return false;
  return value['by'] === null || typeof value['by'] === 'string';
}

function isElsewhere(value: unknown): value is Elsewhere {
  return isNote(value) && isObject(value) && typeof value['url'] === 'string' && isTexts(value['backupUrls']);
}

/** A date can be made of it. */
function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
