/**
 * Many at a time, each frame checked at the far end: live upstreams, idle tracks, upstreams that come and go. Senders
 * and the ingest are processes of their own (bench/), lean enough to leave the machine to the service. Short forms by
 * default; long forms: `LIVE=400 LIVE_SECONDS=300`, `IDLE=2000`, `CHURN=200 CHURN_SECONDS=120`. MOST_DELAY: ms that the
 * event loop's delay (p99) may come to; none by default, since it tells of the machine as much as of the service. Linux
 * only: /proc.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Helper } from '../../bench/children.js';
import type { CrowdPlan, CrowdReport, IngestReport, LoadPlan, LoadReport } from '../../bench/messages.js';
import { ServiceProcess } from './faults/service-process.js';
import type { Look } from './probe/look.js';

const live = Number(process.env['LIVE'] ?? 20);
const liveSeconds = Number(process.env['LIVE_SECONDS'] ?? 6);
const idle = Number(process.env['IDLE'] ?? 200);
const perSecond = Number(process.env['CHURN'] ?? 20);
const churnSeconds = Number(process.env['CHURN_SECONDS'] ?? 8);
const mostDelay = Number(process.env['MOST_DELAY'] ?? Infinity);
const MB = 2 ** 20;
/** Bytes that the heap may grow by: code that is compiled, sums of what has ended. */
const HEAP_ROOM = 10 * MB;
/** The same for what the system counts: what the allocator keeps of buffers that are free again. */
const RSS_ROOM = 150 * MB;
/** Seconds that come before the count. */
const WARM = 4;
const FRAMES_4M = { videoBytes: 16_000, audioBytes: 340 };
const SMALL_FRAMES = { videoBytes: 2500, audioBytes: 250 };
/** Two that are live all the time, whatever else goes on. */
const BESIDE: LoadPlan = { upstreams: 2, streamsPerUpstream: 1, ...SMALL_FRAMES };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('many at a time', { skip: process.platform === 'linux' ? false : 'Linux only' }, () => {
  let service: ServiceProcess;
  let ingest: Helper<IngestReport>;
  let rtmpPort = 0;
  const helpers: { kill(): void }[] = [];

  before(async () => {
    service = await ServiceProcess.start({
      media: `kmp_rtmp_in_read_timeout 600s; kmp_rtmp_out_write_meta_timeout 10s;
        kmp_rtmp_out_min_process_delay 200ms; kmp_rtmp_out_max_process_delay 1s;`,
    });
    await newIngest();
    // Once through all of it, so that what is compiled and cached then is not taken for a leak.
    await passThrough({ all: 40, perSecond: 20, stayMs: 500, ...SMALL_FRAMES });
  });
  after(async () => {
    helpers.forEach((one) => one.kill());
    assert.equal(await service.stop(), 0, 'the exit code of the service');
  });

  /** Each run has its own: it knows the numbers of all frames that it has seen. */
  async function newIngest(): Promise<void> {
    const { helper, news } = await Helper.start<IngestReport, { rtmpPort: number }>('./ingest.js');
    helpers.push(helper);
    ingest = helper;
    rtmpPort = news.rtmpPort;
  }

  async function load(plan: LoadPlan): Promise<Helper<LoadReport>> {
    const args = [service.kmpPort, rtmpPort, JSON.stringify(plan)];
    const { helper } = await Helper.start<LoadReport, object>('./load.js', args);
    helpers.push(helper);
    return helper;
  }

  async function crowd(plan: CrowdPlan): Promise<Helper<CrowdReport>> {
    const args = [service.kmpPort, rtmpPort, JSON.stringify(plan)];
    const { helper } = await Helper.start<CrowdReport, object>('./crowd.js', args);
    helpers.push(helper);
    return helper;
  }

  /** Waits until a whole crowd has come and gone. */
  async function passThrough(plan: CrowdPlan): Promise<CrowdReport> {
    const one = await crowd(plan);
    const before = await ingest.ask('read');
    let report = await one.ask('read');
    const seconds = 60 + (4 * plan.all) / plan.perSecond;
    await service.until(
      'all to come and go',
      async () => {
        await sleep(200);
        report = await one.ask('read');
        return report.came === plan.all && report.gone >= 2 * plan.all;
      },
      seconds * 1000,
    );
    one.kill();
    await arrived(before, report.sent);
    return report;
  }

  /** Waits until `sent` frames more than `before` are there. */
  async function arrived(before: IngestReport, sent: number): Promise<void> {
    let received = 0;
    await service
      .until('all frames', async () => {
        await sleep(100);
        received = (await ingest.ask('read')).received - before.received;
        return received >= sent;
      })
      .catch(() => {});
    assert.equal(received, sent, 'frames that arrived, of those that were sent');
  }

  async function upstreams(count: number): Promise<void> {
    await service.until(
      `${count} upstreams`,
      async () => {
        await sleep(200);
        return Object.keys((await service.status()).upstreams).length === count;
      },
      120_000,
    );
  }

  async function ended(reason: string): Promise<number> {
    const text = await service.text('/metrics');
    return Number(
      new RegExp(`^kmp_rtmp_closed_upstreams_total\\{reason="${reason}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0,
    );
  }

  /** Checks and tells what `run` did to the service: nothing may stay, and no frame be lost or damaged. */
  async function watched(what: string, run: () => Promise<string>): Promise<void> {
    await newIngest();
    await upstreams(0);
    const before = await service.probe.look();
    await service.probe.mark();
    const told = await run();
    const delay = await service.probe.delay();
    await upstreams(0);
    const last = await settledLook(before);
    const { bad, faults } = await ingest.ask('read');
    const mb = (bytes: number): string => (bytes / MB).toFixed(1);
    console.log(
      `# ${what}: ${told}; heap ${mb(before.heap)} MB before, ${mb(last.heap)} after, resident ${mb(before.rss)} and ` +
        `${mb(last.rss)}; event loop late by ${delay.p50.toFixed(1)} ms (p50), ${delay.p99.toFixed(1)} (p99), ${delay.max.toFixed(0)} (max)`,
    );
    assert.deepEqual([bad, ...faults], [0], 'damaged, out of order or twice');
    assert.ok(last.heap - before.heap < HEAP_ROOM, `${mb(last.heap - before.heap)} MB more heap`);
    assert.ok(last.rss - before.rss < RSS_ROOM, `${mb(last.rss - before.rss)} MB more resident`);
    const { upstreams: up, tracks, ledgers, inputs, publishers } = last.alive;
    assert.deepEqual({ up, tracks, ledgers, inputs, publishers }, NONE, 'alive with no upstream left');
    assert.ok(delay.p99 <= mostDelay, `the event loop was late by ${delay.p99} ms (p99)`);
  }

  /** What has just ended may be held by a timer or a request for a moment yet. */
  async function settledLook(before: Look): Promise<Look> {
    for (let i = 0; ; i++) {
      const now = await service.probe.look();
      if (i === 30 || (now.alive.upstreams === 0 && now.heap - before.heap < HEAP_ROOM)) return now;
      await sleep(500);
    }
  }

  it(`${live} upstreams of 4 Mbit/s for ${liveSeconds} s: nothing is lost`, async () => {
    await watched(`${live} upstreams of 4 Mbit/s, ${liveSeconds} s`, async () => {
      const before = await ingest.ask('mark');
      const all = await load({ upstreams: live, streamsPerUpstream: 1, ...FRAMES_4M });
      await sleep(WARM * 1000);
      await upstreams(live);
      await service.probe.mark();
      await all.ask('mark');
      const [rss, at] = [service.rss, performance.now()];
      const first = await ingest.ask('mark');
      await sleep(liveSeconds * 1000);
      const second = await ingest.ask('read');
      const mbit = ((second.bytes - first.bytes) * 8) / 1000 / (performance.now() - at);
      const grown = Math.round((service.rss - rss) / MB);
      const { sent, lateness, stalls } = await all.ask('stop');
      await arrived(before, sent);
      const { delay } = await ingest.ask('read');
      all.kill();
      return (
        `${sent} frames sent, 0 missing, ${mbit.toFixed(0)} Mbit/s arrived, frames under way for ${delay.p50.toFixed(0)} ms (p50), ` +
        `${delay.p99.toFixed(0)} (p99); senders late by ${lateness.p99.toFixed(1)} ms (p99), ${stalls} stalls; ${grown} MB more meanwhile`
      );
    });
  });

  it(`${idle} tracks that send nothing cost memory, and no frame of others`, async () => {
    await watched(`${idle} idle tracks`, async () => {
      const before = await ingest.ask('read');
      const beside = await load(BESIDE);
      await upstreams(2);
      const rss = service.rss;
      const quiet = await crowd({ all: idle, perSecond: 200, videoBytes: 0, audioBytes: 250 });
      await upstreams(idle + 2);
      await sleep(2000);
      const each = Math.round((service.rss - rss) / idle / 1024);
      await quiet.ask('stop');
      await upstreams(2);
      const { broken } = await quiet.ask('read');
      quiet.kill();
      assert.equal(broken, 0);
      const { sent, lostConnections } = await beside.ask('stop');
      await arrived(before, sent);
      assert.equal(lostConnections, 0);
      beside.kill();
      return `${each} KB each, ${sent} frames of live ones beside them, 0 missing`;
    });
  });

  it(`${perSecond} upstreams a second come, send and go, for ${churnSeconds} s: nothing is lost, and nothing stays`, async () => {
    await watched(`${perSecond} upstreams a second, ${churnSeconds} s`, async () => {
      const all = perSecond * churnSeconds;
      const done = await ended('done');
      const before = await ingest.ask('read');
      const beside = await load(BESIDE);
      const began = performance.now();
      const one = await crowd({ all, perSecond, stayMs: 500, ...SMALL_FRAMES });
      let report = await one.ask('read');
      let took = 0;
      await service.until(
        'all to come and go',
        async () => {
          await sleep(200);
          report = await one.ask('read');
          if (report.came < all) took = performance.now() - began;
          return report.came === all && report.gone >= 2 * all;
        },
        (60 + 4 * churnSeconds) * 1000,
      );
      one.kill();
      assert.equal(report.broken, 0, 'connections that broke');
      await upstreams(2);
      assert.equal((await ended('done')) - done, all, 'upstreams that ended as they should');
      const { sent, lostConnections } = await beside.ask('stop');
      await arrived(before, sent + report.sent);
      assert.equal(lostConnections, 0);
      beside.kill();
      const rate = all / Math.max(took / 1000, 0.2);
      return (
        `${all} came, ${rate.toFixed(0)} a second, ${report.sent + sent} frames sent, 0 missing; ` +
        `senders late by ${report.lateness.p99.toFixed(1)} ms (p99)`
      );
    });
  });
});

const NONE = { up: 0, tracks: 0, ledgers: 0, inputs: 0, publishers: 0 };
