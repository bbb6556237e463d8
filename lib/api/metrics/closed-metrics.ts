import type { ClosedUpstream } from '../../upstream/report/closed.js';
import { upstreamLabel } from './metric-labels.js';
import type { Sample, SampledMetric } from './metric.js';

/** Upstreams that have failed have at most so many series of each kind: the last ones. */
const MAX_SERIES = 100;

/**
 * Upstreams that have failed, the last one of each id. If there are too many, those that are published again are left
 * out first, and then those that ended long ago.
 *
 * @param closed the newest first
 */
export function failedUpstreams(closed: readonly ClosedUpstream[]): ClosedUpstream[] {
  const last = new Map<string, ClosedUpstream>();
  for (const one of closed) if (!last.has(one.upstream_id)) last.set(one.upstream_id, one);
  const failed = [...last.values()].filter((one) => one.failed);
  const isBack = (one: ClosedUpstream): boolean => one.live_again_at !== null;
  return [...failed.filter((one) => !isBack(one)), ...failed.filter(isBack)].slice(0, MAX_SERIES);
}

/** Metrics of upstreams that have failed; labels: upstream, reason. */
export const CLOSED_METRICS: readonly SampledMetric<readonly ClosedUpstream[]>[] = [
  of('timestamp_seconds', 'When the upstream ended last, as a Unix time', (one) => seconds(one.closed_at)),
  of('since_timestamp_seconds', 'Since when it has failed, as a Unix time', (one) => seconds(one.since)),
  of('attempts', 'How often a connection was tried', (one) => one.attempts),
  of('ends', 'How often the upstream ended in a row', (one) => one.count),
  of('published_again', '1 if it was published again after that, else 0', (one) =>
    one.live_again_at === null ? 0 : 1,
  ),
];

function of(
  name: string,
  help: string,
  value: (one: ClosedUpstream) => number,
): SampledMetric<readonly ClosedUpstream[]> {
  return {
    type: 'gauge',
    name: `failed_upstream_${name}`,
    help: `${help}, of an upstream that failed`,
    labels: ['upstream', 'reason'],
    samples: (failed) =>
      failed.map((one): Sample => [{ upstream: upstreamLabel(one.upstream_id), reason: one.reason }, value(one)]),
  };
}

function seconds(iso: string): number {
  return Date.parse(iso) / 1000;
}
