import type { Clock } from '../time/clock.js';
import { buildInfo, version } from '../base/version.js';
import type { ClosedRecord } from '../upstream/report/closed-record.js';
import type { ClosedQuery, ClosedUpstream } from '../upstream/report/closed.js';
import { formRefusal, TOO_MANY } from '../upstream/orders/destination-check.js';
import type { Orders } from '../upstream/orders/orders.js';
import {
  isRefusal,
  type ElsewhereUrls,
  type OperatorOrder,
  type OrderAnswer,
  type OrderNote,
  type OrderScope,
  type StandingOrder,
} from '../upstream/report/orders.js';
import type {
  GlobalStatus,
  Management,
  UpstreamIds,
  UpstreamStatus,
  UpstreamStatuses,
} from '../upstream/report/status.js';
import type { Question } from './messages.js';
import { slotOf } from './rendezvous.js';
import type { Slot } from './slot.js';

/** What the management needs of the place of a worker. */
type WorkerSlot = Pick<Slot, 'ask' | 'generation' | 'giveOrders'>;

/** How long the check of a destination may take, ms: names have to be resolved. */
const CHECK_TIMEOUT = 7_000;

/**
 * The management of all workers as one. The status names the workers that do not answer: their upstreams are not in it.
 */
export class ClusterManagement implements Management {
  private readonly startedAt: number;

  constructor(
    private readonly slots: readonly WorkerSlot[],
    private readonly record: Pick<ClosedRecord, 'list'>,
    private readonly book: Orders,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.now();
  }

  async status(): Promise<GlobalStatus> {
    const { answers, missing } = await askAll<GlobalStatus>(this.slots.entries(), () => ({ name: 'status' }));
    return {
      version,
      nginx_version: `node/${process.versions.node}`,
      compiler: buildInfo.compiler,
      built: buildInfo.built,
      pid: process.pid,
      uptime: Math.floor((this.clock.now() - this.startedAt) / 1000),
      upstreams: together(answers),
      missing_workers: missing,
    };
  }

  async upstreamIds(): Promise<UpstreamIds> {
    const { answers, missing } = await askAll<UpstreamIds>(this.slots.entries(), () => ({ name: 'upstreamIds' }));
    return { ids: answers.flatMap(({ ids }) => ids), missing_workers: missing };
  }

  /** Asks only the workers that these upstreams belong to. */
  async statusOf(ids: readonly string[]): Promise<UpstreamStatuses> {
    const idsOf = this.slots.map((): string[] => []);
    for (const id of ids) idsOf[slotOf(id, this.slots.length)]?.push(id);
    const { answers, missing } = await askAll<UpstreamStatuses>(
      [...this.slots.entries()].filter(([slot]) => idsOf[slot]?.length !== 0),
      (slot) => ({ name: 'statusOf', ids: idsOf[slot] ?? [] }),
    );
    const all = together(answers);
    const upstreams = Object.create(null) as Record<string, UpstreamStatus>;
    for (const id of ids) if (all[id] !== undefined) upstreams[id] = all[id];
    return { upstreams, missing_workers: missing };
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

  async takeBack(order: number, by: string | null = null): Promise<OrderAnswer> {
    const found = this.book.find(order);
    if (found === undefined) return undefined;
    const { kind, scope } = found;
    return kind === 'disabled' ? this.order('enable', scope, by) : this.sendElsewhere(scope, undefined, by);
  }

  async order(order: OperatorOrder, scope: OrderScope, by: string | null = null): Promise<OrderAnswer> {
    const { book } = this;
    if (order === 'disable' && !book.hasRoom(order, scope)) return TOO_MANY;
    const note = this.note(by);
    return this.carryOut(scope, { name: 'order', order, scope, note }, () => {
      if (order === 'disable') book.disable(scope, note);
      if (order === 'enable') book.enable(scope);
    });
  }

  /** All workers check an order for a route before one of them follows it. */
  async sendElsewhere(
    scope: OrderScope,
    urls: ElsewhereUrls | undefined,
    by: string | null = null,
  ): Promise<OrderAnswer> {
    const { book } = this;
    const to = urls && { ...urls, ...this.note(by) };
    if (to !== undefined) {
      const refusal = formRefusal(scope, to) ?? (book.hasRoom('elsewhere', scope) ? undefined : TOO_MANY);
      if (refusal !== undefined) return refusal;
      const answer = await this.askAll(scope, { name: 'checkElsewhere', scope, to }, CHECK_TIMEOUT);
      if (answer.total === undefined || isRefusal(answer.total)) return answer.total;
    }
    return this.carryOut(scope, { name: 'applyElsewhere', scope, to }, () => book.send(scope, to));
  }

  /**
   * Has the workers carry out an order, and records it for those that replace them. A worker that does not answer gets
   * it when it does again. A worker that was replaced before the record gets it too: it started without the order.
   */
  private async carryOut(scope: OrderScope, what: Question, record: () => void): Promise<OrderAnswer> {
    const { total, missed } = await this.askAll(scope, what);
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
  private async askAll(
    scope: OrderScope,
    what: Question,
    timeout?: number,
  ): Promise<{ readonly total: OrderAnswer; readonly missed: readonly WorkerSlot[] }> {
    const slots = 'id' in scope ? [this.slotOf(scope.id)].filter((slot) => slot !== undefined) : this.slots;
    const generations = slots.map(({ generation }) => generation);
    const results = await Promise.allSettled(slots.map((slot) => slot.ask(what, timeout) as Promise<OrderAnswer>));
    const failed = results.filter((result) => result.status === 'rejected');
    if (failed.length === results.length && failed[0] !== undefined) throw failed[0].reason;
    const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const counts = answers.filter((answer) => typeof answer === 'number');
    const total = counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
    const missed = slots.filter(
      ({ generation }, n) => results[n]?.status === 'rejected' || generation !== generations[n],
    );
    return { total: answers.find(isRefusal) ?? total, missed };
  }

  async dropTrack(id: string, connection: number): Promise<boolean> {
    const slot = this.slotOf(id);
    return slot !== undefined && ask<boolean>(slot, { name: 'dropTrack', id, connection });
  }

  private note(by: string | null): OrderNote {
    return { since: this.clock.wall(), by };
  }

  private slotOf(id: string): WorkerSlot | undefined {
    return this.slots[slotOf(id, this.slots.length)];
  }
}

function ask<T>(slot: WorkerSlot, what: Question): Promise<T> {
  return slot.ask(what) as Promise<T>;
}

/** The answers of workers, and the numbers of the workers that did not answer. */
async function askAll<T>(
  slots: Iterable<readonly [number, WorkerSlot]>,
  what: (slot: number) => Question,
): Promise<{ readonly answers: T[]; readonly missing: number[] }> {
  const asked = [...slots];
  const results = await Promise.allSettled(asked.map(([number, slot]) => ask<T>(slot, what(number))));
  const answers = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const missing = asked.flatMap(([number], n) => (results[n]?.status === 'rejected' ? [number] : []));
  return { answers, missing };
}

function together(answers: readonly UpstreamStatuses[]): Record<string, UpstreamStatus> {
  const all = Object.create(null) as Record<string, UpstreamStatus>;
  for (const { upstreams } of answers) for (const [id, one] of Object.entries(upstreams)) all[id] = one;
  return all;
}
