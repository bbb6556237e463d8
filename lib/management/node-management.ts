import type { DrainControl } from '../upstream/report/drain.js';
import type { Orders, OrdersSnapshot } from '../upstream/orders/orders.js';
import type { Elsewhere, OperatorOrder, OrderAnswer, OrderNote, OrderScope } from '../upstream/report/orders.js';
import type { Management } from '../upstream/report/status.js';

/**
 * The management of one process, or of one node with all its workers, as those above it use it: a primary process that
 * has several workers, a fleet that has several nodes. Those above check an order everywhere before it is carried out
 * anywhere, and state its time and the operator that gave it.
 */
export interface NodeManagement extends Management {
  /** Set by the service if it is a node of a fleet. */
  drain?: DrainControl | undefined;
  /** {@link Management.order}, given elsewhere. */
  orderNoted(order: OperatorOrder, scope: OrderScope, note: OrderNote): Promise<OrderAnswer>;
  /** The first half of {@link Management.sendElsewhere}: nothing is changed. */
  checkElsewhere(scope: OrderScope, to: Elsewhere): Promise<OrderAnswer>;
  /** The second half. */
  applyElsewhere(scope: OrderScope, to: Elsewhere | undefined): Promise<OrderAnswer>;
  /** Replaces all orders. Present upstreams follow the new ones. */
  loadOrders(orders: OrdersSnapshot): void;
  /** Whether one more order is possible. */
  readonly hasRoom: Orders['hasRoom'];
}
