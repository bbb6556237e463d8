import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metricsRouter, type MetricsOptions } from '../../../lib/api/metrics/metrics.js';
import { appWith, serve } from '../../support/network/http.js';
import {
  MemoryManagement,
  sampleStream,
  sampleTrack,
  sampleUpstream,
  table,
} from '../../support/management/memory-management.js';
import { sampleTotals } from '../../support/management/service-totals.js';

/** One scrape: the text, and the values by series (`name{labels}`). */
async function scrape(
  management: MemoryManagement,
  options: MetricsOptions,
): Promise<{ text: string; series: Map<string, number> }> {
  const server = await serve(appWith('/metrics', metricsRouter(management, options)));
  try {
    const { status, headers, text } = await server.get('/metrics');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    const series = new Map<string, number>();
    for (const line of text.split('\n').filter((row) => row !== '' && !row.startsWith('#'))) {
      const at = line.lastIndexOf(' ');
      assert.ok(!series.has(line.slice(0, at)), `twice: ${line}`);
      series.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
    return { text, series };
  } finally {
    await server.close();
  }
}

function live(): MemoryManagement {
  return new MemoryManagement([
    ['ch1-twitch', sampleUpstream()],
    [
      'ch2',
      sampleUpstream({
        state: 'reconnecting',
        mem_left: 16777216,
        reconnects: 0,
        destination: 1,
        failovers: 3,
        streams: table([]),
      }),
    ],
    ['ch3', sampleUpstream({ state: 'waiting', next_attempt: 12, mem_left: 16777216, streams: table([]) })],
  ]);
}

describe('metrics', () => {
  it('show the current sums', async () => {
    const { series } = await scrape(live(), { upstreams: false });
    const expected = {
      'kmp_rtmp_upstreams{state="publishing"}': 1,
      'kmp_rtmp_upstreams{state="reconnecting"}': 1,
      'kmp_rtmp_upstreams{state="waiting"}': 1,
      'kmp_rtmp_upstreams{state="resolving"}': 0,
      kmp_rtmp_streams: 1,
      'kmp_rtmp_tracks{media="video"}': 1,
      'kmp_rtmp_inputs{media="video"}': 1,
      'kmp_rtmp_inputs{media="audio"}': 0,
      'kmp_rtmp_pending_frames{media="audio"}': 15,
      kmp_rtmp_memory_used_bytes: 77216,
      kmp_rtmp_uptime_seconds: 2,
      'kmp_rtmp_build_info{version="0.1.0",runtime="node/20.20.2",compiler="typescript/6.0.2"}': 1,
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
  });

  it('show each upstream and track', async () => {
    const { series } = await scrape(live(), { upstreams: true });
    const video = 'upstream="ch1-twitch",stream="1",media="video"';
    const expected = {
      'kmp_rtmp_upstream_state{upstream="ch1-twitch",state="publishing"}': 1,
      'kmp_rtmp_upstream_state{upstream="ch2",state="reconnecting"}': 1,
      'kmp_rtmp_upstream_memory_used_bytes{upstream="ch1-twitch"}': 77216,
      'kmp_rtmp_upstream_memory_limit_bytes{upstream="ch1-twitch"}': 16777216,
      'kmp_rtmp_upstream_written_bytes_total{upstream="ch1-twitch"}': 500000,
      'kmp_rtmp_upstream_sent_bytes_total{upstream="ch1-twitch"}': 400000,
      'kmp_rtmp_upstream_received_bytes_total{upstream="ch1-twitch"}': 3073,
      'kmp_rtmp_upstream_acked_bytes_total{upstream="ch1-twitch"}': 5000,
      'kmp_rtmp_upstream_reconnects_total{upstream="ch1-twitch"}': 2,
      'kmp_rtmp_upstream_reconnects_total{upstream="ch2"}': 0,
      'kmp_rtmp_upstream_destination{upstream="ch2"}': 1,
      'kmp_rtmp_upstream_failovers_total{upstream="ch2"}': 3,
      'kmp_rtmp_upstream_destination{upstream="ch1-twitch"}': 0,
      'kmp_rtmp_upstream_state{upstream="ch3",state="waiting"}': 1,
      'kmp_rtmp_upstream_next_attempt_seconds{upstream="ch3"}': 12,
      'kmp_rtmp_upstream_next_attempt_seconds{upstream="ch1-twitch"}': 0,
      [`kmp_rtmp_track_connected{${video}}`]: 1,
      'kmp_rtmp_track_connected{upstream="ch1-twitch",stream="1",media="audio"}': 0,
      [`kmp_rtmp_track_pending_frames{${video}}`]: 15,
      [`kmp_rtmp_track_memory_used_bytes{${video}}`]: 51000,
      [`kmp_rtmp_track_delay_seconds{${video}}`]: 0.5125,
      [`kmp_rtmp_track_sent_frames_total{${video}}`]: 105,
      [`kmp_rtmp_track_sent_bytes_total{${video}}`]: 348463,
      [`kmp_rtmp_track_resent_frames_total{${video}}`]: 4,
      [`kmp_rtmp_track_dropped_frames_total{${video}}`]: 6,
      [`kmp_rtmp_track_received_frames_total{${video}}`]: 120,
      [`kmp_rtmp_track_skipped_frames_total{${video}}`]: 10,
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
  });

  it('can omit the series of single upstreams', async () => {
    const { text, series } = await scrape(live(), { upstreams: false });
    assert.ok(!text.includes('ch1-twitch'));
    const more = new MemoryManagement(Array.from({ length: 50 }, (_, n) => [`u${n}`, sampleUpstream()] as const));
    const { series: larger } = await scrape(more, { upstreams: false });
    const own = (all: Map<string, number>): string[] => [...all.keys()].filter((name) => name.startsWith('kmp_rtmp_'));
    assert.deepEqual(own(larger), own(series));
  });

  it('include ended upstreams in the counters since the start', async () => {
    const management = live();
    const counters = { totals: () => Promise.resolve(sampleTotals()) };
    const expected = {
      kmp_rtmp_input_bytes_total: 9000000,
      kmp_rtmp_written_bytes_total: 8000000,
      kmp_rtmp_sent_bytes_total: 7000000,
      kmp_rtmp_received_bytes_total: 60000,
      kmp_rtmp_acked_bytes_total: 6500000,
      kmp_rtmp_reconnects_total: 5,
      'kmp_rtmp_received_frames_total{media="video"}': 4000,
      'kmp_rtmp_sent_frames_total{media="audio"}': 6900,
      'kmp_rtmp_resent_frames_total{media="audio"}': 20,
      'kmp_rtmp_dropped_frames_total{media="video"}': 60,
      'kmp_rtmp_skipped_frames_total{media="audio"}': 7,
      'kmp_rtmp_closed_upstreams_total{reason="done"}': 3,
      'kmp_rtmp_closed_upstreams_total{reason="send_failed"}': 0,
      'kmp_rtmp_input_connections_total{result="accepted"}': 12,
      'kmp_rtmp_input_connections_total{result="refused"}': 2,
      'kmp_rtmp_notifications_total{result="sent"}': 3,
      'kmp_rtmp_notifications_total{result="failed"}': 1,
    };
    for (let round = 0; round < 2; round++) {
      const { series } = await scrape(management, { upstreams: true, counters });
      for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
      management.upstreams.clear();
    }
  });

  it('contain no stream name, URL or opaque data', async () => {
    const secret = sampleUpstream({
      url: 'rtmp://live.test/app/live_s3cret?auth=s3cret',
      opaque: 's3cret',
      header: 's3cret',
      streams: table([['live_s3cret?auth=s3cret', sampleStream()]]),
      last_status: { level: 'error', code: 'NetStream.Publish.BadName', description: 'live_s3cret is taken' },
    });
    const { text } = await scrape(new MemoryManagement([['u1', secret]]), { upstreams: true });
    assert.ok(text.includes('upstream="u1"'));
    assert.ok(!text.includes('s3cret'));
  });

  it('distinguish streams with the same RTMP id, and ids that look the same', async () => {
    const streams = table([
      ['a', sampleStream({ tracks: { video: sampleTrack({ delay: 100 }) } })],
      ['b', sampleStream({ tracks: { video: sampleTrack({ delay: 200 }) } })],
    ]);
    const ids = ['__proto__', 'a"b\\c\nd', 'x\u0000', 'x\u0001', 'x\ufffd', 'x\ud800', 'x\udfff', 'y'.repeat(5000)];
    const management = new MemoryManagement(ids.map((id) => [id, sampleUpstream({ streams })] as const));
    const { text, series } = await scrape(management, { upstreams: true });
    assert.equal(series.get('kmp_rtmp_track_delay_seconds{upstream="__proto__",stream="1",media="video"}'), 0.1);
    assert.equal(series.get('kmp_rtmp_track_delay_seconds{upstream="__proto__",stream="1-2",media="video"}'), 0.2);
    const states = [...series.keys()].filter((name) => name.startsWith('kmp_rtmp_upstream_state{'));
    assert.equal(states.length, ids.length);
    assert.ok(states.every((name) => name.length < 250));
    // eslint-disable-next-line no-control-regex
    assert.ok(!/[\u0000-\u0009\u000b-\u001f]/.test(text));
  });

  it('include the metrics of Node', async () => {
    const { series } = await scrape(live(), { upstreams: false });
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
    ]) {
      assert.ok(series.has(name), name);
    }
  });

  it('answer GET and HEAD only', async () => {
    const server = await serve(appWith('/metrics', metricsRouter(live(), { upstreams: true })));
    try {
      const reply = await server.request('POST', '/metrics');
      assert.equal(reply.status, 405);
      assert.equal(reply.headers.allow, 'GET, HEAD, OPTIONS');
      assert.equal((await server.request('HEAD', '/metrics')).status, 200);
      assert.equal((await server.request('OPTIONS', '/metrics')).status, 204);
    } finally {
      await server.close();
    }
  });
});
