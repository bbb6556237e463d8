import type { Clock } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { formatAddress } from '../../config/access/addresses.js';
import { byId, inOrder } from '../../management/ask-all.js';
import type { Answerer, Question } from '../../management/question.js';
import {
  DEFAULT_CLOSED,
  type ClosedList,
  type ClosedQuery,
  type ClosedUpstream,
} from '../../upstream/report/closed.js';
import type { DrainControl } from '../../upstream/report/drain.js';
import type {
  ElsewhereUrls,
  OperatorOrder,
  OrderAnswer,
  OrderScope,
  StandingOrder,
} from '../../upstream/report/orders.js';
import type {
  GlobalStatus,
  Management,
  NodeStatus,
  UpstreamIds,
  UpstreamStatus,
  UpstreamStatuses,
} from '../../upstream/report/status.js';
import { NodeUnavailable, WorkerUnavailable } from '../../upstream/report/unavailable.js';
import type { Peers } from '../peers/peers.js';
import { AllNodes, missingText, type NodeAnswers } from './all-nodes.js';
import { FleetDesk } from './fleet-desk.js';
import type { FleetOrders } from './fleet-orders.js';
import { togetherOfNodes } from './merge.js';

export interface FleetManagementParts {
  /** The media side of this node. */
  readonly media: Answerer;
  readonly peers: Peers;
  readonly orders: FleetOrders;
  readonly clock: Clock;
}

/**
 * The management of all nodes of the fleet as one. Answers name the nodes that do not answer within `peer_timeout`:
 * their upstreams are missing in them.
 */
export class FleetManagement implements Management {
  private readonly all: AllNodes;
  private readonly desk: FleetDesk;
  /** The nodes of the ids in the last answer of {@link upstreamIds}. */
  private nodesOf: ReadonlyMap<string, string> = new Map();

  constructor(private readonly parts: FleetManagementParts) {
    this.all = new AllNodes(parts.media, parts.peers);
    this.desk = new FleetDesk(this.all, parts.peers, parts.orders, parts.clock);
  }

  /** Of this node alone. */
  get drain(): DrainControl | undefined {
    return this.parts.media.management.drain;
  }

  async status(): Promise<GlobalStatus> {
    const { answers, missing } = await this.all.statuses();
    const { self } = this.parts.peers;
    const own = answers.find(([name]) => name === self)?.[1];
    if (own === undefined) throw missing.find(([name]) => name === self)?.[1] ?? new Error('this node has no status');
    const upstreams = togetherOfNodes(answers.map(([node, status]) => ({ node, upstreams: status.upstreams })));
    const part = { missing_nodes: namesOf(missing), ...workersOf(self, answers) };
    return { ...own, upstreams, node: self, nodes: this.nodes(answers, missing), ...part };
  }

  async upstreamIds(): Promise<UpstreamIds> {
    const { answers, missing } = await this.all.ids();
    const nodes = new Map<string, string>();
    for (const [node, { ids }] of answers) for (const id of ids) if (!nodes.has(id)) nodes.set(id, node);
    this.nodesOf = nodes;
    const { self } = this.parts.peers;
    const own = answers.find(([name]) => name === self)?.[1];
    const part = { missing_nodes: namesOf(missing), ...workersOf(self, answers) };
    return { ids: [...nodes.keys()], ...(own?.missing_workers && { missing_workers: own.missing_workers }), ...part };
  }

  /** Asks only the nodes that have these upstreams, if they are known. */
  async statusOf(ids: readonly string[]): Promise<UpstreamStatuses> {
    const { self, nodes } = this.parts.peers;
    const asked = new Map<string, string[]>(nodes.map(({ name }) => [name, []]));
    for (const id of ids) {
      const owner = asked.get(this.nodesOf.get(id) ?? '');
      for (const list of owner === undefined ? asked.values() : [owner]) list.push(id);
    }
    const { answers, missing } = await this.all.statusesOf(asked);
    const upstreams = togetherOfNodes(answers.map(([node, one]) => ({ node, upstreams: one.upstreams })));
    const own = answers.find(([name]) => name === self)?.[1];
    return {
      upstreams: inOrder(ids, upstreams),
      ...(own?.missing_workers && { missing_workers: own.missing_workers }),
      missing_nodes: namesOf(missing),
      ...workersOf(self, answers),
    };
  }

  /** This node is asked first. If it does not have the upstream, or does not know, all others are. */
  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    const { self } = this.parts.peers;
    let unknown: WorkerUnavailable | undefined;
    try {
      const own = await this.parts.media.management.upstream(id);
      if (own !== undefined) return { ...own, node: self };
    } catch (error) {
      if (!(error instanceof WorkerUnavailable)) throw error;
      unknown = error;
    }
    const { answers, missing } = await this.all.one(id);
    const parts = answers.flatMap(([node, one]) => {
      if (one === undefined) return [];
      const upstreams = byId<UpstreamStatus>();
      upstreams[id] = one;
      return [{ node, upstreams }];
    });
    const found = togetherOfNodes(parts)[id];
    if (found !== undefined) return found;
    if (unknown !== undefined) throw unknown;
    throwIfMissing(missing);
    return undefined;
  }

  async closed(query: ClosedQuery = {}): Promise<ClosedList> {
    const { answers, missing } = await this.all.closed(query);
    const records = answers.flatMap(([node, list]) => list.map((one): ClosedUpstream => ({ ...one, node })));
    records.sort((a, b) => (a.closed_at < b.closed_at ? 1 : a.closed_at > b.closed_at ? -1 : 0));
    return Object.assign(records.slice(0, query.limit ?? DEFAULT_CLOSED), { missing_nodes: namesOf(missing) });
  }

  /** An id can be on two nodes while it moves: all of them drop it. */
  dropUpstream(id: string): Promise<boolean> {
    return this.drop({ name: 'dropUpstream', id });
  }

  /** Numbers of connections are those of a node. Only the node that has the upstream has such a connection of it. */
  dropTrack(upstreamId: string, connection: number): Promise<boolean> {
    return this.drop({ name: 'dropTrack', id: upstreamId, connection });
  }

  order(order: OperatorOrder, scope: OrderScope, by: string | null = null): Promise<OrderAnswer> {
    return this.desk.given.order(order, scope, by);
  }

  sendElsewhere(scope: OrderScope, to: ElsewhereUrls | undefined, by: string | null = null): Promise<OrderAnswer> {
    return this.desk.given.sendElsewhere(scope, to, by);
  }

  /** Every node has all orders. */
  orders(): Promise<readonly StandingOrder[]> {
    return Promise.resolve(this.parts.orders.list());
  }

  takeBack(order: number, by: string | null = null): Promise<OrderAnswer> {
    return this.desk.given.takeBack(order, by);
  }

  private async drop(what: Question): Promise<boolean> {
    const { answers, missing } = await this.all.ask(what);
    if (answers.some(([, dropped]) => dropped === true)) return true;
    throwIfMissing(missing);
    return false;
  }

  private nodes(
    answers: NodeAnswers<GlobalStatus>['answers'],
    missing: NodeAnswers<GlobalStatus>['missing'],
  ): Record<string, NodeStatus> {
    const statuses = new Map(answers);
    const reasons = new Map(missing);
    const nodes = byId<NodeStatus>();
    for (const { name, kmp, http, draining, version } of this.parts.peers.nodes) {
      const status = statuses.get(name);
      nodes[name] = {
        version: status?.version ?? version,
        kmp: formatAddress(kmp),
        http: formatAddress(http),
        draining,
        missing: status === undefined ? messageOf(reasons.get(name)) : null,
        upstreams: status === undefined ? null : Object.keys(status.upstreams).length,
        uptime: status?.uptime ?? null,
        missing_workers: status?.missing_workers ?? [],
      };
    }
    return nodes;
  }
}

function namesOf(missing: NodeAnswers<unknown>['missing']): string[] {
  return missing.map(([name]) => name);
}

/** The missing workers of the other nodes. */
function workersOf(
  self: string,
  answers: NodeAnswers<Pick<GlobalStatus, 'missing_workers'>>['answers'],
): Pick<GlobalStatus, 'missing_workers_of'> {
  const all = byId<readonly number[]>();
  for (const [node, { missing_workers: numbers = [] }] of answers) {
    if (node !== self && numbers.length > 0) all[node] = numbers;
  }
  return Object.keys(all).length === 0 ? {} : { missing_workers_of: all };
}

/** @throws NodeUnavailable: a node that does not answer may have what no other node has */
function throwIfMissing(missing: NodeAnswers<unknown>['missing']): void {
  if (missing.length > 0) throw new NodeUnavailable(missingText(missing));
}
