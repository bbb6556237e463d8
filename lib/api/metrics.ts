import { setImmediate } from 'node:timers/promises';
import express, { type Router } from 'express';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { GlobalStatus, Management } from '../upstream/report/status.js';
import { answerError } from './answer.js';
import { labelledStreams, upstreamLabel } from './metric-labels.js';
import { NOW, TOTALS, TRACK, UPSTREAM, type Sample, type Samples } from './metric-tables.js';
import { securityHeaders } from './security.js';
import { shared } from './shared.js';
import type { ServiceCounters, ServiceTotals } from './service-counters.js';

export interface MetricsOptions {
  /** Whether each upstream and track has its own series; off, only the sums are there. */
  readonly upstreams: boolean;
  /** Sums over all that ever was; without them, only what is alive is counted. */
  readonly counters?: ServiceCounters | undefined;
}

/**
 * Metrics for Prometheus (text format 0.0.4) at the path that it is mounted at. Each scrape is one snapshot. Labels hold
 * upstream ids, but neither stream names nor URLs, which are keys.
 */
export function metricsRouter(management: Management, options: MetricsOptions): Router {
  const router = express.Router({ caseSensitive: true });
  const route = router.route('/');
  route.all(securityHeaders);
  const text = shared(async () => {
    // Asked for in one go, so that both are of the same moment.
    const [status, totals] = await Promise.all([management.status(), options.counters?.totals()]);
    const parts: string[] = [];
    for (const [metric, samples] of familiesOf(status, totals, options.upstreams)) {
      parts.push(await rendered(metric, samples));
      // A thousand upstreams are two megabytes of text: media goes between two metrics of them.
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

type Metric = Omit<Samples<never>, 'samples'>;
type Family = readonly [metric: Metric, samples: readonly Sample[]];

function* familiesOf(status: GlobalStatus, totals: ServiceTotals | undefined, each: boolean): Generator<Family> {
  if (totals) for (const metric of TOTALS) yield [metric, metric.samples(totals)];
  for (const metric of NOW) yield [metric, metric.samples(status)];
  if (!each) return;
  const upstreams = Object.entries(status.upstreams).map(([id, of]) => ({
    labels: { upstream: upstreamLabel(id) },
    of,
  }));
  const tracks = upstreams.flatMap(({ labels, of: upstream }) =>
    labelledStreams(upstream).flatMap(({ label, stream }) =>
      Object.entries(stream.tracks).map(([media, of]) => ({ labels: { ...labels, stream: label, media }, of })),
    ),
  );
  yield [STATE, upstreams.map(({ labels, of }): Sample => [{ ...labels, state: of.state }, 1])];
  for (const { value, ...metric } of UPSTREAM) {
    const samples = upstreams.map(({ labels, of }): Sample => [labels, value(of)]);
    yield [{ ...metric, name: `upstream_${metric.name}`, labels: ['upstream'] }, samples];
  }
  for (const { value, ...metric } of TRACK) {
    const samples = tracks.map(({ labels, of }): Sample => [labels, value(of)]);
    yield [{ ...metric, name: `track_${metric.name}`, labels: ['upstream', 'stream', 'media'] }, samples];
  }
}

const STATE: Metric = {
  type: 'gauge',
  name: 'upstream_state',
  help: 'Always 1; the state that the upstream is in is in the label',
  labels: ['upstream', 'state'],
};

function rendered({ type, name, help, labels }: Metric, samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  const kind = type === 'counter' ? Counter : Gauge;
  const metric = new kind({ name: `kmp_rtmp_${name}`, help, labelNames: labels, registers: [registry] });
  for (const [values, value] of samples) metric.inc(values, value);
  return registry.metrics();
}

let node: Registry | undefined;

/** The process's own metrics: one set, since each set installs observers that stay. */
function nodeMetrics(): Registry {
  if (node) return node;
  node = new Registry();
  collectDefaultMetrics({ register: node, eventLoopMonitoringPrecision: 20 });
  // Gauges that are called _total, which only counters may be; nodejs_active_resources has the same by type.
  for (const { name } of node.getMetricsAsArray())
    if (/^nodejs_active_.*_total$/.test(name)) node.removeSingleMetric(name);
  return node;
}
