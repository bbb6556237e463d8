import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { metricsRouter } from '../../lib/api/metrics/metrics.js';
import { appWith, serve } from '../support/network/http.js';
import { MemoryManagement, sampleClosed, sampleUpstream } from '../support/management/memory-management.js';
import { sampleProcesses, sampleTotals } from '../support/management/service-totals.js';

/** Runs promtool (Debian's package prometheus); its complaints are the message of the failure. */
function promtool(args: readonly string[], input = ''): void {
  const { status, error, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  assert.equal(error, undefined, 'promtool cannot be run: install the Debian package prometheus');
  assert.equal(status, 0, stdout + stderr);
}

describe('Prometheus', () => {
  it('finds no fault with the metrics (promtool check metrics)', async () => {
    const ids = ['u1', '__proto__', 'a"b\\c\nd', 'x\u0000', 'ünï ☃', 'y'.repeat(5000)];
    const management = new MemoryManagement(ids.map((id) => [id, sampleUpstream()] as const));
    management.ended.push(...ids.map((id) => sampleClosed({ upstream_id: id })));
    const counters = {
      totals: () => Promise.resolve(sampleTotals()),
      processes: () => Promise.resolve(sampleProcesses()),
    };
    const server = await serve(appWith('/metrics', metricsRouter(management, { upstreams: true, counters })));
    try {
      promtool(['check', 'metrics'], (await server.get('/metrics')).text);
    } finally {
      await server.close();
    }
  });

  it('takes the alert rules (promtool check rules)', () => {
    promtool(['check', 'rules', 'docs/prometheus-alerts.yml']);
  });

  it('fires them when it should, and only then (promtool test rules)', () => {
    promtool(['test', 'rules', 'spec/external/alerts.test.yml']);
  });
});
