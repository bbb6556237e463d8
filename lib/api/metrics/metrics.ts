import { setImmediate } from 'node:timers/promises';
import express, { type Router } from 'express';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { MAX_CLOSED, type ClosedUpstream } from '../../upstream/report/closed.js';
import type { GlobalStatus, Management, UpstreamState, UpstreamStatus } from '../../upstream/report/status.js';
import { answerBytes, answerError } from '../answer.js';
import { CLOSED_METRICS, failedUpstreams } from './closed-metrics.js';
import { FLEET_METRICS, type FleetCounts } from './fleet-metrics.js';
import { PROCESS_METRICS, type Processes } from './process-metrics.js';
import { streamsWithLabels, tracksWithLabels, upstreamLabel, wordLabel } from './metric-labels.js';
import { CURRENT_METRICS, TOTAL_METRICS, TRACK_METRICS, UPSTREAM_METRICS } from './metric-tables.js';
import type { Sample, SampledMetric } from './metric.js';
import { securityHeaders } from '../security.js';
import { coalesce } from '../coalesce.js';
import type { ServiceCounters, ServiceTotals } from './service-counters.js';

/** Most upstreams that have series of their own: two megabytes of text. */
const MAX_UPSTREAMS = 1000;

export interface MetricsOptions {
  /** Whether each upstream and track has its own series; if not, there are only sums. */
  readonly upstreams: boolean;
  /** Totals including ended upstreams; without them, there are only current values. */
  readonly counters?: ServiceCounters | undefined;
  /** Of a node of a fleet: what it counts, and the management of all nodes, for `?fleet=1`. Default: there is none. */
  readonly fleet?: { readonly counts: () => FleetCounts; readonly management: Management } | undefined;
}

/**
 * Serves metrics for Prometheus (text format 0.0.4) at its mount path. Each scrape is one snapshot. Labels contain
 * upstream ids, but neither stream names nor URLs, which may contain stream keys.
 *
 * In a fleet, a node has the series of its own upstreams: Prometheus reads every node. With `?fleet=1`, it has those of
 * all nodes instead, with the node as a label, but nothing that nodes count for themselves.
 */
export function metricsRouter(management: Management, options: MetricsOptions): Router {
  const router = express.Router({ caseSensitive: true });
  const route = router.route('/');
  route.all(securityHeaders);
  const { fleet } = options;
  const text = coalesce(async () => {
    // Requested together, so both are of the same moment.
    const [status, totals, processes, closed] = await Promise.all([
      management.status(),
      options.counters?.totals(),
      options.counters?.processes?.(),
      options.upstreams ? management.closed({ limit: MAX_CLOSED }) : [],
    ]);
    const parts: string[] = [];
    const snapshot = { status, totals, processes, failed: failedUpstreams(closed), fleet: fleet?.counts() };
    await format(familiesOf(snapshot, options.upstreams), parts);
    parts.push(await nodeMetrics().metrics());
    return Buffer.from(parts.join('\n'));
  });
  const ofFleet = coalesce(async () => {
    const status = await (fleet?.management ?? management).status();
    const parts: string[] = [];
    await format(fleetFamilies(status, options.upstreams), parts);
    return Buffer.from(parts.join('\n'));
  });
  route.get(async (req, res) => {
    const body = await (fleet !== undefined && req.query['fleet'] === '1' ? ofFleet() : text());
    answerBytes(res, body, 200, Registry.PROMETHEUS_CONTENT_TYPE);
  });
  route.all((req, res) => {
    res.setHeader('Allow', 'GET, HEAD, OPTIONS');
    if (req.method === 'OPTIONS') res.status(204).end();
    else answerError(res, 405, 'method_not_allowed', `${req.method} is not allowed here`);
  });
  return router;
}

async function format(families: Iterable<Family>, parts: string[]): Promise<void> {
  for (const [metric, samples] of families) {
    parts.push(await formatFamily(metric, samples));
    // A thousand upstreams produce two megabytes of text. Media is processed between two metrics.
    await setImmediate();
  }
}

type Metric = Omit<SampledMetric<never>, 'samples'>;
type Family = readonly [metric: Metric, samples: readonly Sample[]];

interface Snapshot {
  readonly status: GlobalStatus;
  readonly totals: ServiceTotals | undefined;
  readonly processes: Processes | undefined;
  readonly failed: readonly ClosedUpstream[];
  readonly fleet: FleetCounts | undefined;
}

function* familiesOf({ status, totals, processes, failed, fleet }: Snapshot, each: boolean): Generator<Family> {
  if (totals) for (const metric of TOTAL_METRICS) yield [metric, metric.samples(totals)];
  for (const metric of CURRENT_METRICS) yield [metric, metric.samples(status)];
  if (processes) for (const metric of PROCESS_METRICS) yield [metric, metric.samples(processes)];
  if (fleet) for (const metric of FLEET_METRICS) yield [metric, metric.samples(fleet)];
  if (!each) return;
  for (const metric of CLOSED_METRICS) yield [metric, metric.samples(failed)];
  yield* upstreamFamilies(status, []);
}

/** Of all nodes, by node. */
function* fleetFamilies(status: GlobalStatus, each: boolean): Generator<Family> {
  yield [MISSING_NODES, [[{}, status.missing_nodes?.length ?? 0]]];
  const nodes = Object.entries(status.nodes ?? {});
  yield [NODE_UP, nodes.map(([node, { missing }]): Sample => [{ node }, Number(missing === null)])];
  yield [NODE_UPSTREAMS, nodes.flatMap(([node, { upstreams }]) => (upstreams === null ? [] : [[{ node }, upstreams]]))];
  if (each) yield* upstreamFamilies(status, ['node']);
}

/** @param more labels beside those of the upstream */
function* upstreamFamilies(status: GlobalStatus, more: readonly 'node'[]): Generator<Family> {
  const { shown, omitted } = withinLimit(Object.entries(status.upstreams));
  yield [OMITTED, [[{}, omitted]]];
  const nodeOf = ({ node = '' }: UpstreamStatus): { node?: string } => (more.length === 0 ? {} : { node });
  const upstreams = shown.map(([id, of]) => ({ labels: { upstream: upstreamLabel(id), ...nodeOf(of) }, of }));
  const tracks = upstreams.flatMap(({ labels, of: upstream }) =>
    streamsWithLabels(upstream).flatMap(({ label, stream }) =>
      tracksWithLabels(stream).map(({ media, of }) => ({ labels: { ...labels, stream: label, media }, of })),
    ),
  );
  const states = upstreams.map(({ labels, of }): Sample => [{ ...labels, state: wordLabel(of.state) }, 1]);
  yield [withLabels(STATE, more), states];
  yield [withLabels(FAILING, more), upstreams.flatMap(({ labels, of }) => failingSamples(labels, of))];
  for (const { value, ...metric } of UPSTREAM_METRICS) {
    const samples = upstreams.map(({ labels, of }): Sample => [labels, value(of)]);
    yield [{ ...metric, name: `upstream_${metric.name}`, labels: ['upstream', ...more] }, samples];
  }
  for (const { value, ...metric } of TRACK_METRICS) {
    const samples = tracks.map(({ labels, of }): Sample => [labels, value(of)]);
    yield [{ ...metric, name: `track_${metric.name}`, labels: ['upstream', 'stream', 'media', ...more] }, samples];
  }
}

function withLabels(metric: Metric, more: readonly string[]): Metric {
  return { ...metric, labels: [...metric.labels, ...more] };
}

const MISSING_NODES: Metric = {
  type: 'gauge',
  name: 'fleet_missing_nodes',
  help: 'Nodes that do not answer; the other series lack their upstreams',
  labels: [],
};

const NODE_UP: Metric = {
  type: 'gauge',
  name: 'fleet_node_up',
  help: '1 if the node answers, else 0',
  labels: ['node'],
};

const NODE_UPSTREAMS: Metric = {
  type: 'gauge',
  name: 'fleet_node_upstreams',
  help: 'Upstreams of the node',
  labels: ['node'],
};

const STATE: Metric = {
  type: 'gauge',
  name: 'upstream_state',
  help: 'Always 1; the label is the state of the upstream',
  labels: ['upstream', 'state'],
};

/** An upstream that is not published because of an error. */
const FAILING: Metric = {
  type: 'gauge',
  name: 'upstream_failing',
  help: 'Always 1: the upstream is not published; the label is the reason of the last failure',
  labels: ['upstream', 'reason'],
};

const OMITTED: Metric = {
  type: 'gauge',
  name: 'upstreams_without_series',
  help: 'Upstreams that have no series of their own, because there are too many',
  labels: [],
};

const CONNECTING: ReadonlySet<UpstreamState> = new Set([
  'waiting',
  'resolving',
  'connecting',
  'handshaking',
  'reconnecting',
]);

function failingSamples(
  labels: Readonly<Record<string, string>>,
  { state, last_error: error }: UpstreamStatus,
): Sample[] {
  return error !== null && CONNECTING.has(state) ? [[{ ...labels, reason: wordLabel(error.reason) }, 1]] : [];
}

type Entry = readonly [id: string, upstream: UpstreamStatus];

/** Those of `upstreams` that get their own series: if there are too many, those that are not in order come first. */
function withinLimit(upstreams: readonly Entry[]): { shown: readonly Entry[]; omitted: number } {
  const omitted = upstreams.length - MAX_UPSTREAMS;
  if (omitted <= 0) return { shown: upstreams, omitted: 0 };
  const inOrder = ([, { state }]: Entry): boolean => state === 'publishing';
  const sorted = [...upstreams.filter((one) => !inOrder(one)), ...upstreams.filter(inOrder)];
  return { shown: sorted.slice(0, MAX_UPSTREAMS), omitted };
}

function formatFamily({ type, name, help, labels }: Metric, samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  const kind = type === 'counter' ? Counter : Gauge;
  const metric = new kind({ name: `kmp_rtmp_${name}`, help, labelNames: labels, registers: [registry] });
  // A counter refuses to get smaller. Another node of the fleet may send any number.
  for (const [values, value] of samples) metric.inc(values, type === 'counter' ? Math.max(0, value) : value);
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
