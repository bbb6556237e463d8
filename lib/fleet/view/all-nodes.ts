import { messageOf } from '../../base/errors.js';
import { askAll, byId, type Answers } from '../../management/ask-all.js';
import { answerQuestion, type Answerer, type Question } from '../../management/question.js';
import { MAX_CLOSED, type ClosedQuery, type ClosedUpstream } from '../../upstream/report/closed.js';
import type { GlobalStatus, UpstreamIds, UpstreamStatus, UpstreamStatuses } from '../../upstream/report/status.js';
import type { NodeRecord } from '../node-record.js';
import type { PeerAnswer } from '../peers/answer-reader.js';
import type { FleetQuestion } from '../peers/fleet-question.js';
import type { Peers } from '../peers/peers.js';
import { MAX_IDS } from '../peers/protocol.js';
import { fit, isObject, type Shape } from '../peers/shape.js';
import { closedFrom, upstreamFrom } from '../peers/status-shapes.js';

/** The answers of nodes by name, and those that have not answered with the reason. */
export type NodeAnswers<T> = Answers<string, T>;

type AskOptions = Parameters<Peers['ask']>[2];

/** Asks all nodes of the fleet, this one by calls and the others by HTTP, and reads their answers. */
export class AllNodes {
  constructor(
    private readonly media: Answerer,
    private readonly peers: Peers,
  ) {}

  statuses(): Promise<NodeAnswers<GlobalStatus>> {
    return this.each(
      () => this.media.management.status(),
      async (node) => globalFrom(await this.peers.ask(node, { name: 'status' }, { hurry: true })),
    );
  }

  ids(): Promise<NodeAnswers<UpstreamIds>> {
    return this.each(
      () => this.media.management.upstreamIds(),
      async (node) => idsFrom(await this.peers.ask(node, { name: 'upstreamIds' }, { hurry: true })),
    );
  }

  /** The ids of the upstreams of the other nodes. */
  idsOfOthers(): Promise<NodeAnswers<readonly string[]>> {
    return askAll(
      named(this.peers.others),
      async (node) => idsFrom(await this.peers.ask(node, { name: 'upstreamIds' }, { hurry: true })).ids,
    );
  }

  /** @param idsOf the ids that each node is asked for */
  statusesOf(idsOf: ReadonlyMap<string, readonly string[]>): Promise<NodeAnswers<UpstreamStatuses>> {
    const nodes = this.peers.nodes.filter(({ name }) => idsOf.get(name)?.length !== 0);
    const idsFor = ({ name }: NodeRecord): readonly string[] => idsOf.get(name) ?? [];
    return this.each(
      (node) => this.media.management.statusOf(idsFor(node)),
      (node) => this.statusesFrom(node, idsFor(node)),
      nodes,
    );
  }

  /** One upstream, of the other nodes. */
  one(id: string): Promise<NodeAnswers<UpstreamStatus | undefined>> {
    const what = { name: 'upstream', id } as const;
    return askAll(named(this.peers.others), async (node) => upstreamFrom((await this.peers.ask(node, what)).value));
  }

  closed(query: ClosedQuery): Promise<NodeAnswers<readonly ClosedUpstream[]>> {
    return this.each(
      () => this.media.management.closed(query),
      async (node) => {
        const { items } = await this.peers.ask(node, { name: 'closed', query }, { hurry: true });
        return items.slice(0, MAX_CLOSED).flatMap((one) => closedFrom(one) ?? []);
      },
    );
  }

  /** The answers to a question whose answer is not read further. */
  ask(what: Question, options?: AskOptions): Promise<NodeAnswers<unknown>> {
    return this.each(
      () => answerQuestion(this.media, what),
      async (node) => (await this.peers.ask(node, what, options)).value,
    );
  }

  /** Tells the other nodes something. @returns those that have not answered */
  async tell(nodes: readonly NodeRecord[], what: FleetQuestion): Promise<NodeAnswers<unknown>['missing']> {
    return (await askAll(named(nodes), (node) => this.peers.ask(node, what))).missing;
  }

  private each<T>(
    own: (self: NodeRecord) => Promise<T>,
    other: (node: NodeRecord) => Promise<T>,
    nodes = this.peers.nodes,
  ): Promise<NodeAnswers<T>> {
    const { self } = this.peers;
    // This node comes first: of two upstreams with the same id, its own is shown.
    const all = [...nodes].sort((a, b) => Number(b.name === self) - Number(a.name === self));
    return askAll(named(all), (node) => (node.name === self ? own(node) : other(node)));
  }

  /** A page has so many ids at the most; more are asked for in several questions. */
  private async statusesFrom(node: NodeRecord, ids: readonly string[]): Promise<UpstreamStatuses> {
    const upstreams = byId<UpstreamStatus>();
    let workers: UpstreamStatuses = { upstreams };
    for (let from = 0; from < ids.length; from += MAX_IDS) {
      const what = { name: 'statusOf', ids: ids.slice(from, from + MAX_IDS) } as const;
      const { value, upstreams: given } = await this.peers.ask(node, what, { hurry: true });
      for (const id of what.ids) {
        const upstream = given.get(id);
        if (upstream !== undefined) upstreams[id] = upstream;
      }
      const part = isObject(value) ? value : {};
      workers = { ...(fit(WORKERS, { missing_workers: part['missing_workers'] }) as UpstreamStatuses), upstreams };
    }
    return workers;
  }
}

const WORKERS: Shape = { fields: { missing_workers: { optional: { list: 'number' } } } };
const GLOBAL: Shape = {
  fields: {
    version: 'string',
    nginx_version: 'string',
    compiler: 'string',
    built: 'string',
    pid: 'number',
    uptime: 'number',
    missing_workers: { optional: { list: 'number' } },
  },
};

function globalFrom({ value, upstreams: given }: PeerAnswer): GlobalStatus {
  const upstreams = byId<UpstreamStatus>();
  for (const [id, one] of given) upstreams[id] = one;
  return { ...(fit(GLOBAL, value) as Omit<GlobalStatus, 'upstreams'>), upstreams };
}

function idsFrom({ value, items }: PeerAnswer): UpstreamIds {
  const ids = items.filter((one) => typeof one === 'string');
  const part = isObject(value) ? value : {};
  return { ...(fit(WORKERS, { missing_workers: part['missing_workers'] }) as Omit<UpstreamIds, 'ids'>), ids };
}

function named(nodes: readonly NodeRecord[]): (readonly [string, NodeRecord])[] {
  return nodes.map((node) => [node.name, node]);
}

/** The nodes that do not answer, for people. */
export function missingText(missing: NodeAnswers<unknown>['missing']): string {
  return missing.map(([name, reason]) => `node ${name} does not answer: ${messageOf(reason)}`).join('; ');
}
