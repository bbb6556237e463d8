import type { Clock } from '../time/clock.js';
import type { DrainControl } from '../upstream/report/drain.js';
import { buildInfo, version } from '../base/version.js';
import { askAll, byId, inOrder, sumOfOrders, type Answers } from '../management/ask-all.js';
import type { NodeManagement } from '../management/node-management.js';
import type { Question } from '../management/question.js';
import { SharedOrders } from '../management/shared-orders.js';
import type { ClosedRecord } from '../upstream/report/closed-record.js';
import type { ClosedQuery, ClosedUpstream } from '../upstream/report/closed.js';
import type { Orders, OrdersSnapshot } from '../upstream/orders/orders.js';
import {
  isRefusal,
  type Elsewhere,
  type ElsewhereUrls,
  type OperatorOrder,
  type OrderAnswer,
  type OrderNote,
  type OrderScope,
  type StandingOrder,
} from '../upstream/report/orders.js';
import type { GlobalStatus, UpstreamIds, UpstreamStatus, UpstreamStatuses } from '../upstream/report/status.js';
import { slotOf } from '../placement/rendezvous.js';
import type { Slot } from './slot.js';

/** What the management needs of the place of a worker. */
type WorkerSlot = Pick<Slot, 'ask' | 'generation' | 'giveOrders'>;

/** How long the check of a destination may take, ms: names have to be resolved. */
const CHECK_TIMEOUT = 7_000;

/**
 * The management of all workers as one. The status names the workers that do not answer: their upstreams are not in it.
 */
export class ClusterManagement implements NodeManagement {
  drain: DrainControl | undefined;
  private readonly startedAt: number;
  private readonly given: SharedOrders;

  constructor(
    private readonly slots: readonly WorkerSlot[],
    private readonly record: Pick<ClosedRecord, 'list'>,
    private readonly book: Orders,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.now();
    this.given = new SharedOrders(
      {
        order: (order, scope, note) =>
          this.carryOut(scope, { name: 'order', order, scope, note }, () => {
            if (order === 'disable') book.disable(scope, note);
            if (order === 'enable') book.enable(scope);
          }),
        check: async (scope, to) =>
          (await this.askConcerned(scope, { name: 'checkElsewhere', scope, to }, CHECK_TIMEOUT)).total,
        apply: (scope, to) => this.applyElsewhere(scope, to),
      },
      book,
      clock,
    );
  }

  async status(): Promise<GlobalStatus> {
    const { answers, missing } = await this.askSlots<GlobalStatus>({ name: 'status' });
    return {
      version,
      nginx_version: `node/${process.versions.node}`,
      compiler: buildInfo.compiler,
      built: buildInfo.built,
      pid: process.pid,
      uptime: Math.floor((this.clock.now() - this.startedAt) / 1000),
      upstreams: together(answers),
      missing_workers: numbersOf(missing),
    };
  }

  async upstreamIds(): Promise<UpstreamIds> {
    const { answers, missing } = await this.askSlots<UpstreamIds>({ name: 'upstreamIds' });
    return { ids: answers.flatMap(([, { ids }]) => ids), missing_workers: numbersOf(missing) };
  }

  /** Asks only the workers that these upstreams belong to. */
  async statusOf(ids: readonly string[]): Promise<UpstreamStatuses> {
    const idsOf = this.slots.map((): string[] => []);
    for (const id of ids) idsOf[slotOf(id, this.slots.length)]?.push(id);
    const { answers, missing } = await askAll(
      [...this.slots.entries()].filter(([slot]) => idsOf[slot]?.length !== 0),
      (slot, number) => ask<UpstreamStatuses>(slot, { name: 'statusOf', ids: idsOf[number] ?? [] }),
    );
    return { upstreams: inOrder(ids, together(answers)), missing_workers: numbersOf(missing) };
  }

  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    const slot = this.slotOf(id);
    return slot && ask<UpstreamStatus | undefined>(slot, { name: 'upstream', id });
  }

  closed(query?: ClosedQuery): Promise<readonly ClosedUpstream[]> {
    return Promise.resolve(this.record.list(query));
  }

  async dropUpstream(id: string): Promise<boolean> {
    const slot = this.slotOf(id);
    return slot !== undefined && ask<boolean>(slot, { name: 'dropUpstream', id });
  }

  orders(): Promise<readonly StandingOrder[]> {
    return Promise.resolve(this.book.list());
  }

  takeBack(order: number, by: string | null = null): Promise<OrderAnswer> {
    return this.given.takeBack(order, by);
  }

  order(order: OperatorOrder, scope: OrderScope, by: string | null = null): Promise<OrderAnswer> {
    return this.given.order(order, scope, by);
  }

  orderNoted(order: OperatorOrder, scope: OrderScope, note: OrderNote): Promise<OrderAnswer> {
    return this.given.orderNoted(order, scope, note);
  }

  sendElsewhere(scope: OrderScope, to: ElsewhereUrls | undefined, by: string | null = null): Promise<OrderAnswer> {
    return this.given.sendElsewhere(scope, to, by);
  }

  checkElsewhere(scope: OrderScope, to: Elsewhere): Promise<OrderAnswer> {
    return this.given.check(scope, to);
  }

  applyElsewhere(scope: OrderScope, to: Elsewhere | undefined): Promise<OrderAnswer> {
    return this.carryOut(scope, { name: 'applyElsewhere', scope, to }, () => this.book.send(scope, to));
  }

  loadOrders(orders: OrdersSnapshot): void {
    this.book.load(orders);
    for (const slot of this.slots) slot.giveOrders();
  }

  hasRoom(...order: Parameters<NodeManagement['hasRoom']>): boolean {
    return this.book.hasRoom(...order);
  }

  async dropTrack(id: string, connection: number): Promise<boolean> {
    const slot = this.slotOf(id);
    return slot !== undefined && ask<boolean>(slot, { name: 'dropTrack', id, connection });
  }

  /**
   * Has the workers carry out an order, and records it for those that replace them. A worker that does not answer gets
   * it when it does again. A worker that was replaced before the record gets it too: it started without the order.
   */
  private async carryOut(scope: OrderScope, what: Question, record: () => void): Promise<OrderAnswer> {
    const { total, missed } = await this.askConcerned(scope, what);
    if (total === undefined || isRefusal(total)) return total;
    record();
    for (const slot of missed) slot.giveOrders();
    return total;
  }

  /**
   * Asks the workers that an order concerns: for a route, all of them.
   *
   * @returns the number of concerned upstreams or the first refusal, and the slots whose worker has not answered
   * @throws WorkerUnavailable if none answers
   */
  private async askConcerned(
    scope: OrderScope,
    what: Question,
    timeout?: number,
  ): Promise<{ readonly total: OrderAnswer; readonly missed: readonly WorkerSlot[] }> {
    const slots = 'id' in scope ? [this.slotOf(scope.id)].filter((slot) => slot !== undefined) : this.slots;
    const generations = slots.map(({ generation }) => generation);
    const { answers, missing } = await askAll(slots.entries(), (slot) => ask<OrderAnswer>(slot, what, timeout));
    if (answers.length === 0 && missing[0] !== undefined) throw missing[0][1];
    const silent = new Set(numbersOf(missing));
    const missed = slots.filter(({ generation }, n) => silent.has(n) || generation !== generations[n]);
    return { total: sumOfOrders(answers.map(([, answer]) => answer)), missed };
  }

  private askSlots<T>(what: Question): Promise<Answers<number, T>> {
    return askAll(this.slots.entries(), (slot) => ask<T>(slot, what));
  }

  private slotOf(id: string): WorkerSlot | undefined {
    return this.slots[slotOf(id, this.slots.length)];
  }
}

function ask<T>(slot: WorkerSlot, what: Question, timeout?: number): Promise<T> {
  return slot.ask(what, timeout) as Promise<T>;
}

function numbersOf(missing: Answers<number, unknown>['missing']): number[] {
  return missing.map(([number]) => number);
}

/** Ids of different workers are different. */
function together(answers: Answers<number, UpstreamStatuses>['answers']): Record<string, UpstreamStatus> {
  const all = byId<UpstreamStatus>();
  for (const [, { upstreams }] of answers) for (const [id, one] of Object.entries(upstreams)) all[id] = one;
  return all;
}
