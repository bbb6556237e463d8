import type { Config } from '../config/config.js';
import type { Management } from '../upstream/report/status.js';
import type { ServiceTotals } from '../upstream/report/totals.js';

/** Everything of the service that has to do with media: in this process, or in several workers. */
export interface MediaService {
  readonly management: Management;
  /** What happened since the start, for the metrics. */
  totals(): Promise<ServiceTotals>;
  /** True while new KMP connections are taken. */
  readonly ready: boolean;
  /** Where KMP is taken; the ports are the real ones once started. */
  readonly kmpAddresses: { host: string; port: number }[];
  /** @throws ListenError if an address cannot be had */
  start(): Promise<void>;
  /** New connections and upstreams follow `config`. @throws ListenError; everything stays as it was then */
  reload(config: Config): Promise<void>;
  /** Opens the log files of other processes anew. */
  reopenLogs?(): void;
  /** No new connections; what is queued goes out, streams are unpublished. Takes `worker_shutdown_timeout` at most. */
  stop(): Promise<void>;
  /** Ends at once. */
  kill(): void;
}
