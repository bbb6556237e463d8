import type { Config } from '../config/config.js';
import { availableMemory } from '../process/process-stats.js';

/** Share of the memory of the machine or the container that the service may use by default. */
const DEFAULT_SHARE = 0.75;

/**
 * Bytes that this process may use (`kmp_rtmp_mem_limit`): with several workers, its share; Infinity: no limit.
 *
 * @param workers the number of processes that share the limit
 */
export function memoryLimit(setting: Config['memLimit'], workers: number): number {
  if (setting === 'off') return Infinity;
  return (setting === 'auto' ? availableMemory() * DEFAULT_SHARE : setting) / workers;
}
