import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { systemClock, type Clock } from '../time/clock.js';
import type { Config } from '../config/config.js';
import { noLog, type Logger } from '../base/logger.js';
import type { MediaService } from '../media-service/media-service.js';
import type { Management } from '../upstream/report/status.js';
import type { ServiceTotals } from '../upstream/report/totals.js';
import { ClusterManagement } from './cluster-management.js';
import { ClusterTotals } from './cluster-totals.js';
import type { ToPrimary } from './messages.js';
import { Slot, type SlotOwner } from './slot.js';

export interface ClusterMediaServiceOptions {
  /** Default: nothing is logged. */
  readonly log?: Logger;
  readonly clock?: Clock;
}

/**
 * The media side in several worker processes, one a core (`worker_processes`). All of them accept; the tracks of an upstream
 * meet in one of them, by a rule on its id. A worker that dies takes its upstreams along, no others, and is replaced.
 */
export class ClusterMediaService implements MediaService, SlotOwner {
  readonly management: Management;
  readonly clock: Clock;
  readonly log: Logger;
  readonly slots: number;
  config: Config;
  private readonly all: Slot[];
  private readonly sums: ClusterTotals;
  private ports: readonly number[] = [];
  private stopping = false;

  constructor(config: Config, options: ClusterMediaServiceOptions = {}) {
    this.config = config;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? noLog;
    this.slots = config.workerProcesses === 'auto' ? availableParallelism() : config.workerProcesses;
    this.all = Array.from({ length: this.slots }, (_, i) => new Slot(i, this));
    this.management = new ClusterManagement(this.all);
    this.sums = new ClusterTotals(this.all);
  }

  get ready(): boolean {
    return !this.stopping && this.all.some((slot) => slot.ready);
  }

  get kmpAddresses(): { host: string; port: number }[] {
    const listen = this.config.kmpServers.flatMap((server) => server.listen);
    return listen.map(({ host, port }, i) => ({ host, port: this.ports[i] ?? port }));
  }

  async start(): Promise<void> {
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('../cli/worker-main.js', import.meta.url)),
      args: [],
      serialization: 'advanced',
    });
    try {
      const started = await Promise.all(this.all.map((slot) => slot.start()));
      this.ports = started[0] ?? [];
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  async reload(config: Config): Promise<void> {
    const before = this.config;
    if (config.workerProcesses !== before.workerProcesses) {
      this.log.warn('another number of worker_processes takes effect after a restart');
    }
    this.config = config;
    const done = await Promise.allSettled(
      this.all.filter((slot) => slot.ready).map((slot) => slot.call((call) => ({ kind: 'reload', call, config }))),
    );
    const failed = done.find((one) => one.status === 'rejected');
    if (failed === undefined) return;
    // All or none: those that have taken it go back.
    this.config = before;
    await Promise.allSettled(this.all.map((slot) => slot.call((call) => ({ kind: 'reload', call, config: before }))));
    throw failed.reason;
  }

  totals(): Promise<ServiceTotals> {
    return this.sums.take();
  }

  reopenLogs(): void {
    for (const slot of this.all) slot.reopenLogs();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.all.map((slot) => slot.stop()));
  }

  kill(): void {
    this.stopping = true;
    for (const slot of this.all) slot.kill();
  }

  misplaced(message: Extract<ToPrimary, { kind: 'misplaced' }>, socket: Socket): void {
    const { slot, listener, head } = message;
    const there = this.all[slot];
    if (there === undefined) socket.destroy();
    else there.deliver({ kind: 'connection', listener, head }, socket);
  }
}
