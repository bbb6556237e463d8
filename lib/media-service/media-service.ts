import type { Config } from '../config/config.js';
import type { ProcessStats } from '../process/process-stats.js';
import type { NodeManagement } from '../management/node-management.js';
import type { FleetSide } from '../upstream/ownership/ownership.js';
import type { ServiceTotals } from '../upstream/report/totals.js';

/** The media side of the service: in this process, or in several workers. */
export interface MediaService {
  readonly management: NodeManagement;
  /** What a fleet orders; without one, nothing calls it. */
  readonly fleet: FleetSide;
  /** What happened since the start, for the metrics. */
  totals(): Promise<ServiceTotals>;
  /** What each process uses, by its name: `main`, and `worker-0` and so on. */
  processes(): Promise<Record<string, ProcessStats>>;
  /** True while new KMP connections are accepted. */
  readonly ready: boolean;
  /** The workers that are being replaced or do not answer, by number; absent without workers. */
  readonly unavailable?: readonly number[];
  /** The addresses of the KMP listeners; after the start, with the real ports. */
  readonly kmpAddresses: { host: string; port: number }[];
  /** @throws ListenError if an address cannot be used */
  start(): Promise<void>;
  /** New connections and upstreams use `config`. @throws ListenError; then everything stays as it was */
  reload(config: Config): Promise<void>;
  /** Opens the log files of other processes again. */
  reopenLogs?(): void;
  /**
   * Accepts no new connections, sends what is queued, and unpublishes the streams. Takes at most
   * `worker_shutdown_timeout`.
   *
   * @param timeout ms that are left of it; default: all
   */
  stop(timeout?: number): Promise<void>;
  /** Ends at once. */
  kill(): void;
}
