import { setImmediate } from 'node:timers/promises';
import express, { type Router } from 'express';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { GlobalStatus, Management } from '../../upstream/report/status.js';
import { answerError } from '../answer.js';
import { streamsWithLabels, upstreamLabel } from './metric-labels.js';
import {
  CURRENT_METRICS,
  TOTAL_METRICS,
  TRACK_METRICS,
  UPSTREAM_METRICS,
  type Sample,
  type SampledMetric,
} from './metric-tables.js';
import { securityHeaders } from '../security.js';
import { coalesce } from '../coalesce.js';
import type { ServiceCounters, ServiceTotals } from './service-counters.js';

export interface MetricsOptions {
  /** Whether each upstream and track has its own series; if not, there are only sums. */
  readonly upstreams: boolean;
  /** Totals including ended upstreams; without them, there are only current values. */
  readonly counters?: ServiceCounters | undefined;
}

/**
 * Serves metrics for Prometheus (text format 0.0.4) at its mount path. Each scrape is one snapshot. Labels contain
 * upstream ids, but neither stream names nor URLs, which may contain stream keys.
 */
export function metricsRouter(management: Management, options: MetricsOptions): Router {
  const router = express.Router({ caseSensitive: true });
  const route = router.route('/');
  route.all(securityHeaders);
  const text = coalesce(async () => {
    // Requested together, so both are of the same moment.
    const [status, totals] = await Promise.all([management.status(), options.counters?.totals()]);
    const parts: string[] = [];
    for (const [metric, samples] of familiesOf(status, totals, options.upstreams)) {
      parts.push(await formatFamily(metric, samples));
      // A thousand upstreams produce two megabytes of text. Media is processed between two metrics.
      await setImmediate();
    }
    parts.push(await nodeMetrics().metrics());
    return Buffer.from(parts.join('\n'));
  });
  route.get(async (_req, res) => {
    const body = await text();
    res.setHeader('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE);
    res.setHeader('Content-Length', body.length);
    res.setHeader('Cache-Control', 'no-store');
    res.end(body);
  });
  route.all((req, res) => {
    res.setHeader('Allow', 'GET, HEAD, OPTIONS');
    if (req.method === 'OPTIONS') res.status(204).end();
    else answerError(res, 405, 'method_not_allowed', `${req.method} is not allowed here`);
  });
  return router;
}

type Metric = Omit<SampledMetric<never>, 'samples'>;
type Family = readonly [metric: Metric, samples: readonly Sample[]];

function* familiesOf(status: GlobalStatus, totals: ServiceTotals | undefined, each: boolean): Generator<Family> {
  if (totals) for (const metric of TOTAL_METRICS) yield [metric, metric.samples(totals)];
  for (const metric of CURRENT_METRICS) yield [metric, metric.samples(status)];
  if (!each) return;
  const upstreams = Object.entries(status.upstreams).map(([id, of]) => ({
    labels: { upstream: upstreamLabel(id) },
    of,
  }));
  const tracks = upstreams.flatMap(({ labels, of: upstream }) =>
    streamsWithLabels(upstream).flatMap(({ label, stream }) =>
      Object.entries(stream.tracks).map(([media, of]) => ({ labels: { ...labels, stream: label, media }, of })),
    ),
  );
  yield [STATE, upstreams.map(({ labels, of }): Sample => [{ ...labels, state: of.state }, 1])];
  for (const { value, ...metric } of UPSTREAM_METRICS) {
    const samples = upstreams.map(({ labels, of }): Sample => [labels, value(of)]);
    yield [{ ...metric, name: `upstream_${metric.name}`, labels: ['upstream'] }, samples];
  }
  for (const { value, ...metric } of TRACK_METRICS) {
    const samples = tracks.map(({ labels, of }): Sample => [labels, value(of)]);
    yield [{ ...metric, name: `track_${metric.name}`, labels: ['upstream', 'stream', 'media'] }, samples];
  }
}

const STATE: Metric = {
  type: 'gauge',
  name: 'upstream_state',
  help: 'Always 1; the label is the state of the upstream',
  labels: ['upstream', 'state'],
};

function formatFamily({ type, name, help, labels }: Metric, samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  const kind = type === 'counter' ? Counter : Gauge;
  const metric = new kind({ name: `kmp_rtmp_${name}`, help, labelNames: labels, registers: [registry] });
  for (const [values, value] of samples) metric.inc(values, value);
  return registry.metrics();
}

let node: Registry | undefined;

/** The metrics of the process. They are created once, because each creation installs permanent observers. */
function nodeMetrics(): Registry {
  if (node) return node;
  node = new Registry();
  collectDefaultMetrics({ register: node, eventLoopMonitoringPrecision: 20 });
  // These gauges end with _total, which is reserved for counters. nodejs_active_resources has the same values by type.
  for (const { name } of node.getMetricsAsArray())
    if (/^nodejs_active_.*_total$/.test(name)) node.removeSingleMetric(name);
  return node;
}
