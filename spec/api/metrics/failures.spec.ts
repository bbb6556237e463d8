import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metricsRouter, type MetricsOptions } from '../../../lib/api/metrics/metrics.js';
import { appWith, serve } from '../../support/network/http.js';
import { MemoryManagement, sampleClosed, sampleUpstream } from '../../support/management/memory-management.js';
import { sampleProcesses, sampleTotals } from '../../support/management/service-totals.js';

/** The values of one scrape by series (`name{labels}`). */
async function scrape(
  management: MemoryManagement,
  options: MetricsOptions = { upstreams: true },
): Promise<Map<string, number>> {
  const server = await serve(appWith('/metrics', metricsRouter(management, options)));
  try {
    const { text } = await server.get('/metrics');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  } finally {
    await server.close();
  }
}

function beginning(series: Map<string, number>, name: string): string[] {
  return [...series.keys()].filter((one) => one.startsWith(name));
}

describe('metrics of what is wrong', () => {
  it('name upstreams that have failed, and say if they are published again', async () => {
    const management = new MemoryManagement();
    management.ended.push(
      sampleClosed({ upstream_id: 'flaps' }),
      sampleClosed({ upstream_id: 'flaps', reason: 'recv_failed' }),
      sampleClosed({ upstream_id: 'back', live_again_at: '2026-11-28T02:15:00.000Z' }),
      sampleClosed({ upstream_id: 'ended', reason: 'done', failed: false }),
    );
    const series = await scrape(management);
    const labels = '{upstream="flaps",reason="publish_rejected"}';
    // 2026-11-28 02:14:00 and 02:13:01, UTC
    assert.equal(series.get(`kmp_rtmp_failed_upstream_timestamp_seconds${labels}`), 1795832040);
    assert.equal(series.get(`kmp_rtmp_failed_upstream_since_timestamp_seconds${labels}`), 1795831981);
    assert.equal(series.get(`kmp_rtmp_failed_upstream_attempts${labels}`), 12);
    assert.equal(series.get(`kmp_rtmp_failed_upstream_ends${labels}`), 12);
    assert.equal(series.get(`kmp_rtmp_failed_upstream_published_again${labels}`), 0);
    const back = '{upstream="back",reason="publish_rejected"}';
    assert.equal(series.get(`kmp_rtmp_failed_upstream_published_again${back}`), 1);
    assert.equal(beginning(series, 'kmp_rtmp_failed_upstream_ends').length, 2);
    const without = await scrape(management, { upstreams: false });
    assert.equal(beginning(without, 'kmp_rtmp_failed_upstream_').length, 0);
  });

  it('have a bounded number of series', async () => {
    const states = ['publishing', 'reconnecting'] as const;
    const many = Array.from({ length: 1500 }, (_, n) => {
      const state = states[n < 1400 ? 0 : 1] ?? 'publishing';
      return [`u${n}`, sampleUpstream({ state, streams: {} })] as const;
    });
    const management = new MemoryManagement(many);
    for (let n = 0; n < 300; n++) {
      const live_again_at = n < 230 ? '2026-11-28T02:15:00.000Z' : null;
      management.ended.push(sampleClosed({ upstream_id: `e${n}`, live_again_at }));
    }
    const series = await scrape(management);
    assert.equal(beginning(series, 'kmp_rtmp_failed_upstream_timestamp_seconds{').length, 100);
    const again = beginning(series, 'kmp_rtmp_failed_upstream_published_again{').map((name) => series.get(name));
    assert.equal(again.filter((value) => value === 0).length, 70, 'those that are not back come first');
    const shown = beginning(series, 'kmp_rtmp_upstream_state{');
    assert.equal(shown.length, 1000);
    assert.equal(
      shown.filter((name) => name.includes('state="reconnecting"')).length,
      100,
      'those that fail come first',
    );
    assert.equal(series.get('kmp_rtmp_upstreams_without_series'), 500);
    assert.equal(series.get('kmp_rtmp_upstreams{state="publishing"}'), 1400, 'the sums are of all');
  });

  it('name upstreams that are not published because of an error', async () => {
    const last_error = { reason: 'publish_rejected', message: 'no', age: 3 };
    const management = new MemoryManagement([
      ['refused', sampleUpstream({ state: 'reconnecting', last_error })],
      ['healed', sampleUpstream({ state: 'publishing', last_error })],
      ['new', sampleUpstream({ state: 'connecting' })],
    ]);
    const series = await scrape(management);
    assert.deepEqual(beginning(series, 'kmp_rtmp_upstream_failing'), [
      'kmp_rtmp_upstream_failing{upstream="refused",reason="publish_rejected"}',
    ]);
  });

  it('show what each process uses', async () => {
    const totals = () => Promise.resolve(sampleTotals());
    const processes = () => Promise.resolve(sampleProcesses());
    const series = await scrape(new MemoryManagement(), { upstreams: false, counters: { totals, processes } });
    assert.equal(series.get('kmp_rtmp_process_event_loop_lag_seconds{process="worker-0"}'), 0.25);
    assert.equal(series.get('kmp_rtmp_process_resident_memory_bytes{process="main"}'), 90_000_000);
    assert.equal(series.get('kmp_rtmp_process_max_fds{process="main"}'), 1024);
    assert.equal(series.has('kmp_rtmp_process_max_fds{process="worker-0"}'), false);
    assert.equal(series.get('kmp_rtmp_process_read_interval_seconds{process="worker-0"}'), 0.1);
    assert.equal(series.get('kmp_rtmp_process_turn_load_ratio{process="worker-0"}'), 0.04);
    assert.equal(series.has('kmp_rtmp_process_read_interval_seconds{process="main"}'), false);
  });
});
