/** One run: far end, target, load; a warm-up; a count; a drain. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../spec/support/network/free-port.js';
import type { Case, Target } from './cases.js';
import { Helper, Service } from './children.js';
import { HeapProbe } from './heap/sample.js';
import { PLAY_AFTER_MS, type IngestReport, type LoadReport } from './messages.js';
import { processTree, type ProcessUse } from './processes.js';
import type { Run } from './result.js';
import { cpuPercents, rssMb, sampled, sum } from './sampling.js';
import { machineMs, sleep } from './time.js';
import { trackList } from './tracks.js';

export interface RunSettings {
  readonly seconds: number;
  /** Words; `{conf}` stands for the configuration file, `{port}` for the KMP port. */
  readonly command: readonly string[];
  /** Lines for the `server` block of the service. */
  readonly directives: readonly string[];
  /** Takes a heap sample after the count. */
  readonly heap: boolean;
}

const START_LIMIT_MS = 15_000;
/** The service may hold a frame for a second; a slow one gets a little longer. */
const DRAIN_LIMIT_MS = 5000;
const HEAP_SECONDS = 5;

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
  const probe = settings.heap ? new HeapProbe(folder) : undefined;
  try {
    if (target === 'service') started = await startService(one, settings, folder, probe?.env);
    else started = await startHelper(target, news.sinkPort, probe?.env);
    const before = { tree: processTree(started.pid), at: machineMs() };
    const args = [started.port, news.rtmpPort, JSON.stringify(one.plan)];
    load = (await Helper.start<LoadReport, object>('./load.js', args)).helper;
    return await measure(one, settings.seconds, { target: started, ingest, load, probe, before });
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

const HELPER_FILES = { relay: './relay.js', floor: './floor/main.js' } as const;

async function startHelper(
  target: keyof typeof HELPER_FILES,
  sinkPort: number,
  env: NodeJS.ProcessEnv | undefined,
): Promise<Started> {
  const began = machineMs();
  const { helper, news } = await Helper.start<object, { port: number }>(HELPER_FILES[target], [sinkPort], env);
  const assertAlive = (): void => helper.assertAlive();
  const stop = async (): Promise<void> => helper.kill();
  return { pid: helper.pid, port: news.port, startMs: machineMs() - began, assertAlive, stop };
}

async function startService(
  one: Case,
  settings: RunSettings,
  folder: string,
  env: NodeJS.ProcessEnv | undefined,
): Promise<Started> {
  const port = await freePort();
  const conf = join(folder, 'kmp-rtmp.conf');
  writeFileSync(conf, configuration(port, one.workers, settings.directives));
  const words = settings.command.map((word) => word.replace('{conf}', conf).replace('{port}', String(port)));
  const began = machineMs();
  const service = new Service(words, join(folder, 'service.log'), env);
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

/** The processes of a run. */
interface Parties {
  readonly target: Started;
  readonly ingest: Helper<IngestReport>;
  readonly load: Helper<LoadReport>;
  readonly probe: HeapProbe | undefined;
  /** What the target had used when the load was started, and the time of it. */
  readonly before: { readonly tree: readonly ProcessUse[]; readonly at: number };
}

async function measure(one: Case, seconds: number, parties: Parties): Promise<Run> {
  const { target, ingest, load, probe, before } = parties;
  if (one.cold !== true) await sleep((one.warm ?? 4) * 1000);
  target.assertAlive();
  const tree0 = processTree(target.pid);
  const began = machineMs();
  const [load0, ingest0] = await Promise.all([load.ask('mark'), ingest.ask('mark')]);
  const samples = await sampled(target.pid, tree0, began, seconds);
  const tree1 = processTree(target.pid);
  const elapsed = (machineMs() - began) / 1000;
  const [load1, ingest1] = await Promise.all([load.ask('read'), ingest.ask('read')]);
  const heap = await probe?.sample(HEAP_SECONDS);
  const { sent, ...stopped } = await load.ask('stop');
  target.assertAlive();
  const end = await drained(ingest, sent);

  const cpu = cpuPercents(tree0, tree1, elapsed);
  const total = sum(cpu);
  const wanted = sum(trackList(one.plan).map(({ stepMs }) => 1000 / stepMs));
  // The load begins half a second after it is ready.
  const playing = one.cold === true ? elapsed - PLAY_AFTER_MS / 1000 : elapsed;
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
    wantedFramesPerSecond: wanted,
    sentFramesPerSecond: (load1.sent - load0.sent) / playing,
    mbitPerSecond: ((ingest1.bytes - ingest0.bytes) * 8) / elapsed / 1e6,
    rssMb: rssMb(tree1),
    rssMaxMb: Math.max(rssMb(tree1), ...samples.map((sample) => sample.rssMb)),
    startMs: target.startMs,
    // A heap sample slows the target down: what is sent then does not count.
    delayMs: heap === undefined ? end.delay : ingest1.delay,
    sent,
    received: end.received,
    lost: sent - end.received,
    bad: end.bad,
    lostConnections: stopped.lostConnections + end.lostConnections,
    loadCpuPercent: percent(load0, load1),
    ingestCpuPercent: percent(ingest0, ingest1),
    loadLateMs: load1.lateness.p99,
    stalls: load1.stalls - load0.stalls,
    faults: end.faults,
    ...(heap === undefined ? {} : { heap }),
    ...(one.cold === true ? { connectSeconds: (began - before.at) / 1000 } : {}),
    samples: one.cold === true ? [connecting(before, tree0, began), ...samples] : samples,
  };
}

/** The time from the start of the load until all its tracks are connected, as the sample of second 0. */
function connecting(before: Parties['before'], tree: readonly ProcessUse[], now: number): Run['samples'][number] {
  const cpu = sum(cpuPercents(before.tree, tree, (now - before.at) / 1000));
  return { second: 0, cpuPercent: cpu, rssMb: rssMb(tree) };
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
