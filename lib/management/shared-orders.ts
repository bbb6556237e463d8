import { formRefusal, TOO_MANY } from '../upstream/orders/destination-check.js';
import type { Orders } from '../upstream/orders/orders.js';
import {
  isRefusal,
  type Elsewhere,
  type ElsewhereUrls,
  type OperatorOrder,
  type OrderAnswer,
  type OrderNote,
  type OrderScope,
} from '../upstream/report/orders.js';
import type { Clock } from '../time/clock.js';

/** Those that carry an order out together: the workers of a node, or the nodes of a fleet. */
export interface OrderTakers {
  order(order: OperatorOrder, scope: OrderScope, note: OrderNote): Promise<OrderAnswer>;
  /** All of them check the addresses. Nothing is changed. */
  check(scope: OrderScope, to: Elsewhere): Promise<OrderAnswer>;
  apply(scope: OrderScope, to: Elsewhere | undefined): Promise<OrderAnswer>;
}

/**
 * The orders of operators, where several carry them out. What can be refused without asking them is refused first, and
 * all of them check an order before one of them follows it.
 */
export class SharedOrders {
  constructor(
    private readonly takers: OrderTakers,
    private readonly book: Pick<Orders, 'find' | 'hasRoom'>,
    private readonly clock: Pick<Clock, 'wall'>,
  ) {}

  /** See `Management.takeBack`. */
  async takeBack(order: number, by: string | null): Promise<OrderAnswer> {
    const found = this.book.find(order);
    if (found === undefined) return undefined;
    const { kind, scope } = found;
    return kind === 'disabled' ? this.order('enable', scope, by) : this.sendElsewhere(scope, undefined, by);
  }

  /** See `Management.order`. */
  order(order: OperatorOrder, scope: OrderScope, by: string | null): Promise<OrderAnswer> {
    return this.orderNoted(order, scope, this.note(by));
  }

  orderNoted(order: OperatorOrder, scope: OrderScope, note: OrderNote): Promise<OrderAnswer> {
    if (order === 'disable' && !this.book.hasRoom(order, scope)) return Promise.resolve(TOO_MANY);
    return this.takers.order(order, scope, note);
  }

  /** See `Management.sendElsewhere`. */
  async sendElsewhere(scope: OrderScope, urls: ElsewhereUrls | undefined, by: string | null): Promise<OrderAnswer> {
    const to = urls && { ...urls, ...this.note(by) };
    if (to !== undefined) {
      const answer = await this.check(scope, to);
      if (answer === undefined || isRefusal(answer)) return answer;
    }
    return this.takers.apply(scope, to);
  }

  /** Whether the order can be carried out. Returns how many upstreams it concerns. */
  check(scope: OrderScope, to: Elsewhere): Promise<OrderAnswer> {
    const refusal = formRefusal(scope, to) ?? (this.book.hasRoom('elsewhere', scope) ? undefined : TOO_MANY);
    return refusal === undefined ? this.takers.check(scope, to) : Promise.resolve(refusal);
  }

  private note(by: string | null): OrderNote {
    return { since: this.clock.wall(), by };
  }
}
