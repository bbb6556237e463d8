/** One run: far end, target, load; a warm-up; a count; a drain. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../spec/support/free-port.js';
import type { Case, Target } from './cases.js';
import { Helper, Service } from './children.js';
import type { IngestReport, LoadReport } from './messages.js';
import { processTree, type ProcessUse } from './processes.js';
import type { Run } from './result.js';
import { machineMs, sleep } from './time.js';

export interface RunSettings {
  readonly seconds: number;
  /** Words; `{conf}` stands for the configuration file, `{port}` for the KMP port. */
  readonly command: readonly string[];
  /** Lines for the `server` block of the service. */
  readonly directives: readonly string[];
}

const START_LIMIT_MS = 15_000;
/** The service may hold a frame for a second; a slow one gets a little longer. */
const DRAIN_LIMIT_MS = 5000;
const MB = 2 ** 20;

interface Started {
  readonly pid: number;
  readonly port: number;
  readonly startMs: number;
  assertAlive(): void;
  stop(): Promise<void>;
}

export async function runCase(one: Case, target: Target, settings: RunSettings): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-bench-'));
  const { helper: ingest, news } = await Helper.start<IngestReport, Ports>('./ingest.js');
  let started: Started | undefined;
  let load: Helper<LoadReport> | undefined;
  try {
    started = target === 'relay' ? await startRelay(news.sinkPort) : await startService(one, settings, folder);
    const args = [started.port, news.rtmpPort, JSON.stringify(one.plan)];
    load = (await Helper.start<LoadReport, object>('./load.js', args)).helper;
    return await measure(one, settings.seconds, started, ingest, load);
  } finally {
    load?.kill();
    await started?.stop();
    ingest.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Ports {
  readonly rtmpPort: number;
  readonly sinkPort: number;
}

async function startRelay(sinkPort: number): Promise<Started> {
  const began = machineMs();
  const { helper, news } = await Helper.start<object, { port: number }>('./relay.js', [sinkPort]);
  const stop = async (): Promise<void> => helper.kill();
  return { pid: helper.pid, port: news.port, startMs: machineMs() - began, assertAlive: () => undefined, stop };
}

async function startService(one: Case, settings: RunSettings, folder: string): Promise<Started> {
  const port = await freePort();
  const conf = join(folder, 'kmp-rtmp.conf');
  writeFileSync(conf, configuration(port, one.workers, settings.directives));
  const words = settings.command.map((word) => word.replace('{conf}', conf).replace('{port}', String(port)));
  const began = machineMs();
  const service = new Service(words, join(folder, 'service.log'));
  while (!(await accepts(port))) {
    service.assertAlive();
    if (machineMs() - began > START_LIMIT_MS) {
      await service.stop();
      throw new Error(`the service takes no connections on port ${port} after ${START_LIMIT_MS} ms`);
    }
    await sleep(5);
  }
  const startMs = machineMs() - began;
  return { pid: service.pid, port, startMs, assertAlive: () => service.assertAlive(), stop: () => service.stop() };
}

function configuration(port: number, workers: number, directives: readonly string[]): string {
  // The ingest of the benchmarks answers nothing: the service must not wait for it.
  const answers = directives.some((one) => one.includes('answer_timeout')) ? [] : ['kmp_rtmp_out_answer_timeout 0;'];
  const lines = [`listen 127.0.0.1:${port};`, 'kmp_rtmp;', ...answers, ...directives].map((line) => `        ${line}`);
  return `worker_processes ${workers};\n\nstream {\n    server {\n${lines.join('\n')}\n    }\n}\n`;
}

async function measure(
  one: Case,
  seconds: number,
  target: Started,
  ingest: Helper<IngestReport>,
  load: Helper<LoadReport>,
): Promise<Run> {
  await sleep((one.warm ?? 4) * 1000);
  target.assertAlive();
  const tree0 = processTree(target.pid);
  const began = machineMs();
  const [load0, ingest0] = await Promise.all([load.ask('mark'), ingest.ask('mark')]);
  const samples = await sampled(target, tree0, began, seconds);
  const tree1 = processTree(target.pid);
  const elapsed = (machineMs() - began) / 1000;
  const [load1, ingest1] = await Promise.all([load.ask('stop'), ingest.ask('read')]);
  target.assertAlive();
  const end = await drained(ingest, load1.sent);

  const cpu = cpuPercents(tree0, tree1, elapsed);
  const total = cpu.reduce((sum, share) => sum + share, 0);
  const frames = ingest1.received - ingest0.received;
  const percent = (from: { cpuSeconds: number }, to: { cpuSeconds: number }): number =>
    (100 * (to.cpuSeconds - from.cpuSeconds)) / elapsed;
  return {
    cpuPercent: total,
    busiestPercent: Math.max(0, ...cpu),
    processes: tree1.length,
    cpuMsPerUpstreamSecond: one.plan.upstreams === 0 ? 0 : (total * 10) / one.plan.upstreams,
    cpuUsPerFrame: frames === 0 ? 0 : (total * 1e4 * elapsed) / frames,
    framesPerSecond: frames / elapsed,
    mbitPerSecond: ((ingest1.bytes - ingest0.bytes) * 8) / elapsed / 1e6,
    rssMb: rssMb(tree1),
    rssMaxMb: Math.max(rssMb(tree1), ...samples.map((sample) => sample.rssMb)),
    startMs: target.startMs,
    delayMs: end.delay,
    sent: load1.sent,
    received: end.received,
    lost: load1.sent - end.received,
    bad: end.bad,
    lostConnections: load1.lostConnections + end.lostConnections,
    loadCpuPercent: percent(load0, load1),
    ingestCpuPercent: percent(ingest0, ingest1),
    loadLateMs: load1.lateness.p99,
    stalls: load1.stalls - load0.stalls,
    faults: end.faults,
    samples,
  };
}

/** About 60 samples over the run, one a second at most. */
async function sampled(target: Started, tree0: ProcessUse[], began: number, seconds: number): Promise<Run['samples']> {
  const samples: { second: number; cpuPercent: number; rssMb: number }[] = [];
  const step = Math.max(1, seconds / 60);
  let before = { tree: tree0, at: began };
  for (let second = step; second < seconds; second += step) {
    await sleep(began + second * 1000 - machineMs());
    const now = { tree: processTree(target.pid), at: machineMs() };
    const cpu = cpuPercents(before.tree, now.tree, (now.at - before.at) / 1000);
    samples.push({ second, cpuPercent: cpu.reduce((sum, share) => sum + share, 0), rssMb: rssMb(now.tree) });
    before = now;
  }
  await sleep(began + seconds * 1000 - machineMs());
  return samples;
}

const rssMb = (tree: readonly ProcessUse[]): number => tree.reduce((sum, one) => sum + one.rssBytes, 0) / MB;

function cpuPercents(before: readonly ProcessUse[], after: readonly ProcessUse[], seconds: number): number[] {
  const then = new Map(before.map((one) => [one.pid, one.cpuSeconds]));
  return after.map((one) => (100 * (one.cpuSeconds - (then.get(one.pid) ?? 0))) / seconds);
}

/** Until all that was sent is there, or time is up. */
async function drained(ingest: Helper<IngestReport>, sent: number): Promise<IngestReport> {
  const limit = machineMs() + DRAIN_LIMIT_MS;
  for (;;) {
    const report = await ingest.ask('read');
    if (report.received >= sent || machineMs() > limit) return report;
    await sleep(100);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = net.connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
