import type { Target } from './cases.js';
import type { Quantiles } from './histogram.js';

/** One run of a case. CPU in % of one core; memory in MB of 2^20 bytes. */
export interface Run {
  readonly cpuPercent: number;
  /** Of the process that took most: what limits the capacity when there are several. */
  readonly busiestPercent: number;
  readonly processes: number;
  readonly cpuMsPerUpstreamSecond: number;
  readonly cpuUsPerFrame: number;
  readonly framesPerSecond: number;
  /** What the load was to send, and what it sent. */
  readonly wantedFramesPerSecond: number;
  readonly sentFramesPerSecond: number;
  readonly mbitPerSecond: number;
  readonly rssMb: number;
  readonly rssMaxMb: number;
  /** From the start of the command to the first connection that it takes. */
  readonly startMs: number;
  readonly delayMs: Quantiles;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly bad: number;
  readonly lostConnections: number;
  readonly loadCpuPercent: number;
  readonly ingestCpuPercent: number;
  /** p99 of how late the load sent its frames. */
  readonly loadLateMs: number;
  readonly stalls: number;
  /** The first faults, in words. */
  readonly faults: readonly string[];
  /** Of a case that asks for it: what the steady state allocates. */
  readonly heap?: HeapSample;
  /** Of a cold start: how long the connecting took. It is the first of the samples then. */
  readonly connectSeconds?: number;
  /** In the course of the run; a soak and a cold start are judged by it. */
  readonly samples: readonly { readonly second: number; readonly cpuPercent: number; readonly rssMb: number }[];
}

/** What a process allocates on the JavaScript heap; the memory of buffers is not part of it. */
export interface HeapSample {
  /** MB of 10^6 bytes a second. */
  readonly mbPerSecond: number;
  /** The functions that allocate most, in words. */
  readonly most: readonly string[];
}

export interface Row {
  readonly case: string;
  readonly title: string;
  readonly target: Target;
  readonly upstreams: number;
  readonly workers: number;
  /** The run with the median CPU. */
  readonly median: Run;
  readonly runs: readonly Run[];
}

export interface Results {
  readonly format: 1;
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly seconds: number;
  readonly command: string;
  readonly directives: readonly string[];
  readonly rows: readonly Row[];
}

/** Of an even number, the lower of the two in the middle: a median that was really seen. */
export function medianRun(runs: readonly Run[]): Run {
  const sorted = [...runs].sort((a, b) => a.cpuPercent - b.cpuPercent);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new RangeError('the median of no runs');
  return middle;
}

/** A load that sends less than this share of what it was to send measures another case. */
const REACHED = 0.97;

/** Why the figures of a run are not those of its case; undefined: they are. */
export function shortfall(run: Run): string | undefined {
  const { wantedFramesPerSecond: wanted, sentFramesPerSecond: sent, loadCpuPercent, ingestCpuPercent } = run;
  if (sent >= wanted * REACHED) return undefined;
  const shares = `generator ${loadCpuPercent.toFixed(0)} %, ingest ${ingestCpuPercent.toFixed(0)} % of a core`;
  return `not reached: the load sent ${sent.toFixed(0)} of ${wanted.toFixed(0)} frames a second (${shares}).`;
}

/** A frame is lost or damaged. Where the load could not send what it was to send, frames may still be under way. */
export function failed(run: Run): boolean {
  return run.bad > 0 || (run.lost > 0 && shortfall(run) === undefined);
}

/** The CPU of a target as a share of the plain relay's in the same case; undefined where one is missing. */
export function ratioToRelay(rows: readonly Row[], name: string, target: Target = 'service'): number | undefined {
  const cpu = (wanted: Target): number | undefined => {
    const run = rows.find((row) => row.case === name && row.target === wanted)?.median;
    return run === undefined || shortfall(run) !== undefined ? undefined : run.cpuPercent;
  };
  const [own, relay] = [cpu(target), cpu('relay')];
  return own === undefined || relay === undefined || relay === 0 ? undefined : own / relay;
}
