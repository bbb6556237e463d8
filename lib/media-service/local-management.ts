import type { Clock } from '../time/clock.js';
import { turnShareOf } from '../time/turn-share.js';
import type { DrainControl } from '../upstream/report/drain.js';
import { buildInfo, version } from '../base/version.js';
import type { NodeManagement } from '../management/node-management.js';
import type { ClosedRecord } from '../upstream/report/closed-record.js';
import type { ClosedQuery, ClosedUpstream } from '../upstream/report/closed.js';
import type { Registry } from '../upstream/registry.js';
import type { OrdersSnapshot } from '../upstream/orders/orders.js';
import type {
  Elsewhere,
  ElsewhereUrls,
  OperatorOrder,
  OrderAnswer,
  OrderNote,
  OrderScope,
  StandingOrder,
} from '../upstream/report/orders.js';
import type { GlobalStatus, UpstreamIds, UpstreamStatus, UpstreamStatuses } from '../upstream/report/status.js';

/** Upstreams whose status is made in one piece of work. */
const AT_ONCE = 32;

/** The management of the upstreams of this process. */
export class LocalManagement implements NodeManagement {
  drain: DrainControl | undefined;
  private readonly startedAt: number;

  constructor(
    private readonly registry: Registry,
    private readonly record: Pick<ClosedRecord, 'list'>,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.now();
  }

  async status(): Promise<GlobalStatus> {
    await this.registry.refreshLags();
    return {
      version,
      nginx_version: `node/${process.versions.node}`,
      compiler: buildInfo.compiler,
      built: buildInfo.built,
      pid: process.pid,
      uptime: Math.floor((this.clock.now() - this.startedAt) / 1000),
      upstreams: await this.statuses(this.registry.ids()),
    };
  }

  upstreamIds(): Promise<UpstreamIds> {
    return Promise.resolve({ ids: this.registry.ids() });
  }

  async statusOf(ids: readonly string[]): Promise<UpstreamStatuses> {
    await this.registry.refreshLags();
    return { upstreams: await this.statuses(ids) };
  }

  /** In parts: thousands of upstreams take longer than media should wait. Those that end meanwhile are left out. */
  private async statuses(ids: readonly string[]): Promise<Record<string, UpstreamStatus>> {
    const statuses = Object.create(null) as Record<string, UpstreamStatus>;
    await turnShareOf(this.clock).inParts(ids, AT_ONCE, (id) => {
      const upstream = this.registry.get(id);
      if (upstream !== undefined) statuses[id] = upstream.status();
    });
    return statuses;
  }

  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    await this.registry.refreshLags();
    return this.registry.get(id)?.status();
  }

  closed(query?: ClosedQuery): Promise<readonly ClosedUpstream[]> {
    return Promise.resolve(this.record.list(query));
  }

  dropUpstream(id: string): Promise<boolean> {
    const upstream = this.registry.get(id);
    upstream?.drop('api_delete', false);
    return Promise.resolve(upstream !== undefined);
  }

  orders(): Promise<readonly StandingOrder[]> {
    return Promise.resolve(this.registry.orders.list());
  }

  takeBack(order: number, by: string | null = null): Promise<OrderAnswer> {
    return this.registry.orders.takeBack(order, this.note(by));
  }

  order(order: OperatorOrder, scope: OrderScope, by: string | null = null): Promise<OrderAnswer> {
    return this.orderNoted(order, scope, this.note(by));
  }

  orderNoted(order: OperatorOrder, scope: OrderScope, note: OrderNote): Promise<OrderAnswer> {
    return Promise.resolve(this.registry.orders.order(order, scope, note));
  }

  sendElsewhere(scope: OrderScope, to: ElsewhereUrls | undefined, by: string | null = null): Promise<OrderAnswer> {
    return this.registry.orders.send(scope, to && { ...to, ...this.note(by) });
  }

  checkElsewhere(scope: OrderScope, to: Elsewhere): Promise<OrderAnswer> {
    return this.registry.orders.check(scope, to);
  }

  applyElsewhere(scope: OrderScope, to: Elsewhere | undefined): Promise<OrderAnswer> {
    return Promise.resolve(this.registry.orders.apply(scope, to));
  }

  loadOrders(orders: OrdersSnapshot): void {
    this.registry.orders.load(orders);
  }

  hasRoom(...order: Parameters<NodeManagement['hasRoom']>): boolean {
    return this.registry.orders.hasRoom(...order);
  }

  private note(by: string | null): OrderNote {
    return { since: this.clock.wall(), by };
  }

  dropTrack(upstreamId: string, connection: number): Promise<boolean> {
    return Promise.resolve(this.registry.get(upstreamId)?.dropInput(connection) ?? false);
  }
}
