import type { Clock } from '../../time/clock.js';
import { sumOfOrders } from '../../management/ask-all.js';
import type { Question } from '../../management/question.js';
import { SharedOrders, type OrderTakers } from '../../management/shared-orders.js';
import {
  isRefusal,
  type Elsewhere,
  type OperatorOrder,
  type OrderAnswer,
  type OrderNote,
  type OrderScope,
} from '../../upstream/report/orders.js';
import { NodeUnavailable } from '../../upstream/report/unavailable.js';
import type { OrderRecord } from '../peers/fleet-question.js';
import type { Peers } from '../peers/peers.js';
import { missingText, type AllNodes, type NodeAnswers } from './all-nodes.js';
import type { FleetOrders } from './fleet-orders.js';

/** How much longer than other answers a check of destinations may take, ms: names have to be resolved. */
const CHECK_TIME = 7_500;

/**
 * Carries out the orders of operators on all nodes. The nodes that have such upstreams follow at once. All nodes record
 * a standing order, because any of them can take an upstream over later.
 */
export class FleetDesk implements OrderTakers {
  /** What operators order. */
  readonly given: SharedOrders;

  constructor(
    private readonly all: AllNodes,
    private readonly peers: Peers,
    private readonly orders: FleetOrders,
    clock: Clock,
  ) {
    this.given = new SharedOrders(this, orders, clock);
  }

  order(order: OperatorOrder, scope: OrderScope, note: OrderNote): Promise<OrderAnswer> {
    return this.carryOut({ name: 'order', order, scope, note }, () => {
      return order === 'retry' ? undefined : this.orders.set('disabled', scope, order === 'disable' ? note : null);
    });
  }

  async check(scope: OrderScope, to: Elsewhere): Promise<OrderAnswer> {
    const what = { name: 'checkElsewhere', scope, to } as const;
    return totalOf(await this.all.ask(what, { longer: CHECK_TIME })).total;
  }

  apply(scope: OrderScope, to: Elsewhere | undefined): Promise<OrderAnswer> {
    return this.carryOut({ name: 'applyElsewhere', scope, to }, () => this.orders.set('elsewhere', scope, to ?? null));
  }

  /**
   * @param record records the order on this node; returns what the others have to know
   * @throws NodeUnavailable if no node has the upstream, but a node does not answer
   */
  private async carryOut(what: Question, record: () => OrderRecord | undefined): Promise<OrderAnswer> {
    const { total, missing } = totalOf(await this.all.ask(what));
    if (total === undefined || isRefusal(total)) return total;
    const recorded = record();
    const gone = new Set(missing.map(([name]) => name));
    const others = this.peers.others.filter(({ name }) => !gone.has(name));
    // A node that misses this as well gets it by the PeerWatch.
    const late = recorded === undefined ? [] : await this.all.tell(others, { name: 'giveOrders', orders: [recorded] });
    const names = [...missing, ...late].map(([name]) => name);
    return names.length === 0 ? total : { upstreams: total, missing_nodes: names };
  }
}

interface Total {
  /** Never a partial one: nodes answer for themselves. */
  readonly total: Exclude<OrderAnswer, object> | Extract<OrderAnswer, { readonly error: unknown }>;
  readonly missing: NodeAnswers<unknown>['missing'];
}

/** @throws NodeUnavailable if no node has such an upstream, but a node does not answer */
function totalOf({ answers, missing }: NodeAnswers<unknown>): Total {
  const total = sumOfOrders(answers.flatMap(([, answer]) => orderAnswer(answer) ?? []));
  if (total === undefined && missing.length > 0) throw new NodeUnavailable(missingText(missing));
  return { total: typeof total === 'object' && !isRefusal(total) ? total.upstreams : total, missing };
}

/** The answer of a node to an order. undefined: it has no such upstream, or this version does not know the answer. */
function orderAnswer(answer: unknown): OrderAnswer {
  if (typeof answer === 'number') return answer;
  if (typeof answer !== 'object' || answer === null) return undefined;
  const error: unknown = Reflect.get(answer, 'error');
  const message: unknown = Reflect.get(answer, 'message');
  const known = REFUSALS.find((one) => one === error);
  return known && { error: known, message: typeof message === 'string' ? message : '' };
}

const REFUSALS = ['bad_destination', 'destination_refused', 'destination_unresolved', 'too_many_orders'] as const;
