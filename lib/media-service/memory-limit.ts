import { totalmem } from 'node:os';
import type { Config } from '../config/config.js';

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

/** Bytes of memory of the machine, or of the container if that has less. */
function availableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
