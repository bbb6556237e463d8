import type { Logger } from '../base/logger.js';
import { INTERNALS, internalsReport, SWITCH } from './internals.js';

/** Logs once, at the start, which internals are in use, and why others are not. */
export function logInternals(log: Logger): void {
  const { inUse, failed, off } = internalsReport();
  if (off) {
    log.info(`Node internals: none in use (kmp_rtmp_node_internals off, or ${SWITCH}=off)`);
    return;
  }
  if (inUse.length > 0) log.info(`Node internals in use: ${inUse.join(', ')}`);
  for (const { name, reason } of failed) log.warn(`Node internals: ${name} not in use: ${reason}. ${INTERNALS[name]}`);
}
