import type { ProcessStats } from '../../process/process-stats.js';
import type { Sample, SampledMetric } from './metric.js';

/** What each process uses, by its name: `main`, and `worker-0` and so on. */
export type Processes = Readonly<Record<string, ProcessStats>>;

/**
 * Metrics of each process of the service. The metrics of prom-client (`process_` and `nodejs_`) describe only the
 * process that answers, which does not handle media if there are workers.
 */
export const PROCESS_METRICS: readonly SampledMetric<Processes>[] = [
  each(
    'event_loop_lag_seconds',
    'How late timers are, 99th percentile since the last reading, by any reader; 0 at the first one',
    (p) => p.loop_lag,
  ),
  each(
    'event_loop_lag_max_seconds',
    'How late timers are, maximum since the last reading, by any reader; 0 at the first one',
    (p) => p.loop_lag_max,
  ),
  each('resident_memory_bytes', 'Memory of the process', (p) => p.resident),
  each(
    'memory_limit_bytes',
    'Memory that the process may have, by its container or the machine',
    (p) => p.memory_limit,
  ),
  each('heap_used_bytes', 'Used part of the heap', (p) => p.heap_used),
  each('heap_limit_bytes', 'Size of the heap at which Node ends the process', (p) => p.heap_limit),
  each('open_fds', 'Open file descriptors', (p) => p.open_fds),
  each('max_fds', 'Most file descriptors that may be open', (p) => p.max_fds),
  each(
    'read_interval_seconds',
    'Present interval between two reads of a KMP connection; absent while none is read in intervals',
    (p) => p.read_interval,
  ),
  each('turn_load_ratio', 'Share of the time that these reads, merging and writing take', (p) => p.turn_load),
];

function each(name: string, help: string, value: (stats: ProcessStats) => number | null): SampledMetric<Processes> {
  return {
    type: 'gauge',
    name: `process_${name}`,
    help,
    labels: ['process'],
    samples: (processes) =>
      Object.entries(processes).flatMap(([process, stats]): Sample[] => {
        const number = value(stats);
        return number === null ? [] : [[{ process }, number]];
      }),
  };
}
