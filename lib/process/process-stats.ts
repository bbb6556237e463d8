import { readdir, readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
// It measures the real event loop, which no clock of a spec can replace.
// eslint-disable-next-line no-restricted-imports
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** What a process uses, and how much of it there is. */
export interface ProcessStats {
  /** How late timers are, s: 99th percentile and maximum since the last reading, by any reader; 0 at the first one. */
  readonly loop_lag: number;
  readonly loop_lag_max: number;
  /** Bytes of memory. */
  readonly resident: number;
  /** Bytes that the process may have: those of its container, or of the machine. */
  readonly memory_limit: number;
  readonly heap_used: number;
  /** Bytes at which Node ends the process. */
  readonly heap_limit: number;
  /** Open file descriptors, and how many there may be; null where the system does not tell. */
  readonly open_fds: number | null;
  readonly max_fds: number | null;
  /** s between two reads of a connection (`kmp_rtmp_in_read_interval`); null while none is read in intervals. */
  readonly read_interval: number | null;
  /** The share of the time that reading, merging and writing in intervals take, 0 to 1, over some seconds. */
  readonly turn_load: number;
}

/** ms between two measurements of the event loop. */
const RESOLUTION = 20;

/** Measures this process. */
export class ProcessMonitor {
  private loop: IntervalHistogram | undefined;
  private over = false;

  /** Ends the measurement of the event loop. */
  stop(): void {
    this.over = true;
    this.loop?.disable();
    this.loop = undefined;
  }

  /** The first reading begins the measurement of the event loop. A service that nobody asks measures nothing. */
  async read(): Promise<ProcessStats> {
    const { loop } = this;
    const lag = loop === undefined ? 0 : lateness(loop.percentile(99));
    const max = loop === undefined ? 0 : lateness(loop.max);
    if (loop === undefined) this.measure();
    else loop.reset();
    const { heap_size_limit: heapLimit } = getHeapStatistics();
    const { rss, heapUsed } = process.memoryUsage();
    return {
      loop_lag: lag,
      loop_lag_max: max,
      resident: rss,
      memory_limit: availableMemory(),
      heap_used: heapUsed,
      heap_limit: heapLimit,
      open_fds: await openDescriptors(),
      max_fds: await maxDescriptors(),
      read_interval: null,
      turn_load: 0,
    };
  }

  private measure(): void {
    if (this.over) return;
    this.loop = monitorEventLoopDelay({ resolution: RESOLUTION });
    this.loop.enable();
  }
}

/** s, from ns between two measurements. */
function lateness(ns: number): number {
  return Number.isFinite(ns) ? Math.max(0, ns / 1e6 - RESOLUTION) / 1000 : 0;
}

/** Bytes of memory of the machine, or of the container if that has less. */
export function availableMemory(): number {
  // Without a limit, the system gives 0 or a number beyond the memory of the machine.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

async function openDescriptors(): Promise<number | null> {
  try {
    // One of them is open for reading the folder.
    return (await readdir('/proc/self/fd')).length - 1;
  } catch {
    return null;
  }
}

async function maxDescriptors(): Promise<number | null> {
  try {
    const limits = await readFile('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}
