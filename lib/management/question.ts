import type { ProcessStats } from '../process/process-stats.js';
import type { ClosedQuery } from '../upstream/report/closed.js';
import type { Elsewhere, OperatorOrder, OrderNote, OrderScope } from '../upstream/report/orders.js';
import type { ServiceTotals } from '../upstream/report/totals.js';
import type { NodeManagement } from './node-management.js';

/** What a worker is asked by its primary process, and a node by another node of the fleet. */
export type Question =
  | { readonly name: 'status' }
  | { readonly name: 'upstreamIds' }
  | { readonly name: 'statusOf'; readonly ids: readonly string[] }
  | { readonly name: 'upstream'; readonly id: string }
  | { readonly name: 'closed'; readonly query: ClosedQuery }
  | { readonly name: 'totals' }
  | { readonly name: 'process' }
  | { readonly name: 'dropUpstream'; readonly id: string }
  | { readonly name: 'order'; readonly order: OperatorOrder; readonly scope: OrderScope; readonly note: OrderNote }
  | { readonly name: 'checkElsewhere'; readonly scope: OrderScope; readonly to: Elsewhere }
  | { readonly name: 'applyElsewhere'; readonly scope: OrderScope; readonly to: Elsewhere | undefined }
  | { readonly name: 'dropTrack'; readonly id: string; readonly connection: number };

/** What answers: the media side of one process, or of one node. */
export interface Answerer {
  readonly management: NodeManagement;
  totals(): Promise<ServiceTotals>;
  processes(): Promise<Record<string, ProcessStats>>;
}

/** Answers a question. Rejects with what the management rejects with. */
export function answerQuestion(media: Answerer, what: Question): Promise<unknown> {
  const { management } = media;
  switch (what.name) {
    case 'status':
      return management.status();
    case 'upstreamIds':
      return management.upstreamIds();
    case 'statusOf':
      return management.statusOf(what.ids);
    case 'upstream':
      return management.upstream(what.id);
    case 'closed':
      return management.closed(what.query);
    case 'dropUpstream':
      return management.dropUpstream(what.id);
    case 'order':
      return management.orderNoted(what.order, what.scope, what.note);
    case 'checkElsewhere':
      return management.checkElsewhere(what.scope, what.to);
    case 'applyElsewhere':
      return management.applyElsewhere(what.scope, what.to);
    case 'dropTrack':
      return management.dropTrack(what.id, what.connection);
    case 'totals':
      return media.totals();
    case 'process':
      return media.processes().then(({ main }) => main);
  }
}
