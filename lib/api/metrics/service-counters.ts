import type { ServiceTotals } from '../../upstream/report/totals.js';

import type { Processes } from './process-metrics.js';

export type { FrameTotals, ServiceTotals } from '../../upstream/report/totals.js';

/** Source of the totals. It is asynchronous, because the totals of several workers are collected by messages. */
export interface ServiceCounters {
  totals(): Promise<ServiceTotals>;
  /** What each process of the service uses. */
  processes?(): Promise<Processes>;
}
