import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { FleetCounts } from '../../lib/api/metrics/fleet-metrics.js';
import { metricsRouter } from '../../lib/api/metrics/metrics.js';
import { appWith, serve } from '../support/network/http.js';
import { MemoryManagement, sampleUpstream } from '../support/management/memory-management.js';
import { sampleProcesses, sampleTotals } from '../support/management/service-totals.js';

/** Names of all metrics that a service with one upstream shows. */
async function metricNames(): Promise<Set<string>> {
  const counters = {
    totals: () => Promise.resolve(sampleTotals()),
    processes: () => Promise.resolve(sampleProcesses()),
  };
  const management = new MemoryManagement([['u1', sampleUpstream()]]);
  const counts = (): FleetCounts => ({
    engineUp: true,
    nodes: { alive: 2, draining: 0, dead: 0 },
    placements: 1,
    fallbacks: 0,
    takeovers: 0,
    fenced: 0,
    peers: new Map([['n2', true]]),
  });
  const options = { upstreams: true, counters, fleet: { counts, management } };
  const server = await serve(appWith('/metrics', metricsRouter(management, options)));
  try {
    const { text } = await server.get('/metrics');
    return new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
  } finally {
    await server.close();
  }
}

describe('files to import into Grafana and Prometheus', () => {
  for (const file of ['docs/grafana-dashboard.json', 'docs/prometheus-alerts.yml']) {
    it(`${file} uses existing metrics only`, async () => {
      // Comments and texts name directives (kmp_rtmp_out_...), which are no metrics.
      const asked = readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => !/^ *(#|summary:|description:|"title"|"description")/.test(line))
        .flatMap((line) => line.match(/\b(kmp_rtmp|process|nodejs)_\w+/g) ?? [])
        .filter((name) => !/_process_delay/.test(name));
      const names = await metricNames();
      assert.ok(asked.length > 10);
      assert.deepEqual(
        asked.filter((name) => !names.has(name)),
        [],
      );
    });
  }

  it('docs/grafana-dashboard.json has panels with unique ids and a selectable data source', () => {
    const dashboard = JSON.parse(readFileSync('docs/grafana-dashboard.json', 'utf8')) as {
      panels: { id: number; type: string; datasource?: { uid: string }; gridPos: { x: number; w: number } }[];
    };
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { type, datasource, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24);
      assert.equal(datasource?.uid, type === 'row' ? undefined : '${datasource}');
    }
  });

  it('each alert has a case in which it fires, and one in which it does not', () => {
    const rules = readFileSync('docs/prometheus-alerts.yml', 'utf8');
    const cases = readFileSync('spec/external/alerts.test.yml', 'utf8');
    const page = readFileSync('docs/running.md', 'utf8');
    const [health = '', ...others] = cases.split(/^ {2}- name: /m).slice(1);
    for (const [, name = ''] of rules.matchAll(/alert: (\w+)/g)) {
      assert.match(health, new RegExp(`alertname: ${name} *\\}`), `${name} in health`);
      const fires = others.some((one) => new RegExp(`alertname: ${name}\n +exp_alerts:`).test(one));
      assert.ok(fires, `${name} fires`);
      assert.ok(page.includes(`| \`${name}\` |`), `${name} is in docs/running.md`);
    }
  });
});
