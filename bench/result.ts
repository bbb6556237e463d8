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
  /** In the course of the run; a soak is judged by it. */
  readonly samples: readonly { readonly second: number; readonly cpuPercent: number; readonly rssMb: number }[];
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

/** The CPU of the service as a share of the plain relay's in the same case; undefined where one is missing. */
export function ratioToRelay(rows: readonly Row[], name: string): number | undefined {
  const cpu = (target: Target): number | undefined =>
    rows.find((row) => row.case === name && row.target === target)?.median.cpuPercent;
  const [service, relay] = [cpu('service'), cpu('relay')];
  return service === undefined || relay === undefined || relay === 0 ? undefined : service / relay;
}
