import type { ServiceTotals } from '../upstream/report/totals.js';

export type { FrameTotals, ServiceTotals } from '../upstream/report/totals.js';

/** Where the metrics get their sums from; asynchronous, since with several workers all of them have to be asked. */
export interface ServiceCounters {
  totals(): Promise<ServiceTotals>;
}
