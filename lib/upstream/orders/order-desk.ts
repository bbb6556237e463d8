import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../time/clock.js';
import type { ConnectData } from '../../kmp/connect-data.js';
import {
  isRefusal,
  type Elsewhere,
  type OperatorOrder,
  type OrderAnswer,
  type OrderNote,
  type OrderScope,
  type StandingOrder,
} from '../report/orders.js';
import { formRefusal, refusalOf, TOO_MANY, type CheckedUpstream } from './destination-check.js';
import { concerns, Orders, type OrdersSnapshot } from './orders.js';
import type { Target } from './target.js';

/** An upstream, as far as orders concern it. */
export interface OrderedUpstream {
  readonly id: string;
  readonly data: ConnectData;
  readonly target: Target;
  readonly options: CheckedUpstream;
  readonly log: Logger;
  readonly hold: { readonly isActive: boolean; begin(): void; end(): void };
  retry(): void;
  sendTo(elsewhere: Elsewhere | undefined): void;
}

/** Carries out the orders of operators, for present upstreams and for those that begin later. */
export class OrderDesk {
  private readonly book = new Orders();

  /** @param upstreams those that have not ended */
  constructor(
    private readonly upstreams: () => Iterable<OrderedUpstream>,
    private readonly clock: Clock,
  ) {}

  /** Where an upstream that begins is sent; undefined: where its senders ask for. */
  elsewhereOf({ upstreamId, url }: ConnectData): Elsewhere | undefined {
    return this.book.elsewhereOf(upstreamId, url);
  }

  /** An upstream begins. */
  begins(upstream: OrderedUpstream): void {
    if (this.book.isDisabled(upstream.id, upstream.target.url)) disable(upstream);
  }

  /** Replaces all orders: those of another process. */
  load(orders: OrdersSnapshot): void {
    this.book.load(orders);
    for (const upstream of [...this.upstreams()]) this.follow(upstream);
  }

  /** Whether one more order of this kind is possible. */
  hasRoom(...order: Parameters<Orders['hasRoom']>): boolean {
    return this.book.hasRoom(...order);
  }

  /** See `Management.orders`. */
  list(): readonly StandingOrder[] {
    return this.book.list();
  }

  /** See `Management.takeBack`. */
  async takeBack(number: number, note: OrderNote): Promise<OrderAnswer> {
    const found = this.book.find(number);
    if (found === undefined) return undefined;
    return found.kind === 'disabled' ? this.order('enable', found.scope, note) : this.send(found.scope, undefined);
  }

  /** See `Management.order`. */
  order(order: OperatorOrder, scope: OrderScope, note: OrderNote): OrderAnswer {
    const concerned = [...this.upstreams()].filter(({ id, target }) => concerns(scope, id, target.url));
    if (order === 'retry') {
      for (const upstream of concerned) upstream.retry();
      return concerned.length > 0 ? concerned.length : undefined;
    }
    if (order === 'disable' && concerned.length === 0 && !this.mayBeAbsent('disabled', scope)) return undefined;
    const change = order === 'disable' ? this.book.disable(scope, note) : this.book.enable(scope);
    if (change === 'full') return TOO_MANY;
    for (const upstream of concerned) this.follow(upstream);
    const isKnown = change === 'changed' || (order === 'disable' && 'id' in scope);
    return concerned.length > 0 || isKnown ? concerned.length : undefined;
  }

  /** See `Management.sendElsewhere`. */
  async send(scope: OrderScope, to: Elsewhere | undefined): Promise<OrderAnswer> {
    const answer = to === undefined ? 0 : await this.check(scope, to);
    return answer === undefined || isRefusal(answer) ? answer : this.apply(scope, to);
  }

  /** Whether the order can be carried out. Returns how many upstreams it concerns. */
  async check(scope: OrderScope, to: Elsewhere): Promise<OrderAnswer> {
    const concerned = this.askedBy(scope);
    if (concerned.length === 0 && !this.mayBeAbsent('elsewhere', scope)) return undefined;
    const options = concerned.map((upstream) => upstream.options);
    return formRefusal(scope, to) ?? (await refusalOf(to, options, this.clock)) ?? concerned.length;
  }

  /** Carries the order out. */
  apply(scope: OrderScope, to: Elsewhere | undefined): OrderAnswer {
    const concerned = this.askedBy(scope);
    if (to !== undefined && concerned.length === 0 && !this.mayBeAbsent('elsewhere', scope)) return undefined;
    const change = this.book.send(scope, to);
    if (change === 'full') return TOO_MANY;
    for (const upstream of concerned) this.follow(upstream);
    return concerned.length > 0 || change === 'changed' ? concerned.length : undefined;
  }

  /** Whether an order is possible while no such upstream is present. For an id, only one that changes another order. */
  private mayBeAbsent(kind: StandingOrder['kind'], scope: OrderScope): boolean {
    return !('id' in scope) || this.book.has(kind, scope);
  }

  /** The upstreams whose senders ask for `scope`. */
  private askedBy(scope: OrderScope): OrderedUpstream[] {
    return [...this.upstreams()].filter(({ id, data }) => concerns(scope, id, data.url));
  }

  /** The upstream does what is ordered now. */
  private follow(upstream: OrderedUpstream): void {
    const { id, data, hold } = upstream;
    const to = this.book.elsewhereOf(id, data.url);
    const disabled = this.book.isDisabled(id, to?.url ?? data.url);
    if (disabled) disable(upstream);
    try {
      upstream.sendTo(to);
    } catch (error) {
      upstream.log.error(`it cannot be sent elsewhere: ${messageOf(error)}`);
    }
    if (!disabled && hold.isActive) {
      upstream.log.info('an operator has enabled it');
      hold.end();
    }
  }
}

function disable({ hold, log }: OrderedUpstream): void {
  if (!hold.isActive) log.info('an operator has disabled it');
  hold.begin();
}
