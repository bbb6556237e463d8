import type { ClosedUpstream } from '../../upstream/report/closed.js';
import { upstreamLabel } from './metric-labels.js';
import type { Sample, SampledMetric } from './metric.js';

/** Upstreams that have failed have at most so many series of each kind: the last ones. */
const MAX_SERIES = 100;

/** Upstreams that have failed and are not published again: the last one of each id, the newest first. */
export function failedUpstreams(closed: readonly ClosedUpstream[]): ClosedUpstream[] {
  const seen = new Set<string>();
  const failed: ClosedUpstream[] = [];
  for (const one of closed) {
    if (failed.length >= MAX_SERIES) break;
    if (seen.has(one.upstream_id)) continue;
    seen.add(one.upstream_id);
    if (one.failed && one.live_again_at === null) failed.push(one);
  }
  return failed;
}

/** Metrics of upstreams that have failed; labels: upstream, reason. */
export const CLOSED_METRICS: readonly SampledMetric<readonly ClosedUpstream[]>[] = [
  of('timestamp_seconds', 'When the upstream ended last, as a Unix time', (one) => seconds(one.closed_at)),
  of('since_timestamp_seconds', 'Since when it has failed, as a Unix time', (one) => seconds(one.since)),
  of('attempts', 'How often a connection was tried', (one) => one.attempts),
  of('ends', 'How often the upstream ended in a row', (one) => one.count),
];

function of(
  name: string,
  help: string,
  value: (one: ClosedUpstream) => number,
): SampledMetric<readonly ClosedUpstream[]> {
  return {
    type: 'gauge',
    name: `failed_upstream_${name}`,
    help: `${help}; only while it is not published again`,
    labels: ['upstream', 'reason'],
    samples: (failed) =>
      failed.map((one): Sample => [{ upstream: upstreamLabel(one.upstream_id), reason: one.reason }, value(one)]),
  };
}

function seconds(iso: string): number {
  return Date.parse(iso) / 1000;
}
