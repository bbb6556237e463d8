import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import type { Socket } from 'node:net';
import { systemClock, type Clock } from '../time/clock.js';
import type { Config } from '../config/config.js';
import { addressName } from '../net/listen.js';
import { noLog, type Logger } from '../base/logger.js';
import { inUse } from '../node-internals/internals.js';
import { testInternals } from '../node-internals/self-test.js';
import type { NodeManagement } from '../management/node-management.js';
import type { MediaService } from '../media-service/media-service.js';
import type { Ownership } from '../upstream/ownership/ownership.js';
import { Orders } from '../upstream/orders/orders.js';
import { ClosedRecord } from '../upstream/report/closed-record.js';
import { ProcessMonitor, type ProcessStats } from '../process/process-stats.js';
import type { ServiceTotals } from '../upstream/report/totals.js';
import { ClusterFleetSide } from './cluster-fleet-side.js';
import { ClusterManagement } from './cluster-management.js';
import { ClusterTotals } from './cluster-totals.js';
import type { Misplaced } from './messages.js';
import { Slot, type SlotOwner } from './slot.js';
import { WorkerUnavailable } from '../upstream/report/unavailable.js';
import { workerProgram } from './worker-program.js';

export interface ClusterMediaServiceOptions {
  /** Default: nothing is logged. */
  readonly log?: Logger;
  readonly clock?: Clock;
  /** Takes the ids that begin and end, for the fleet. */
  readonly ownership?: Ownership;
}

/**
 * The media side in several worker processes (`worker_processes`). All of them accept connections; the tracks of an
 * upstream meet in one of them, which follows from the upstream's id. A worker that dies is replaced; only its own
 * upstreams are lost.
 */
export class ClusterMediaService implements MediaService, SlotOwner {
  readonly management: NodeManagement;
  readonly clock: Clock;
  readonly log: Logger;
  config: Config;
  readonly closed: ClosedRecord;
  readonly orders = new Orders();
  readonly fleet: ClusterFleetSide;
  private readonly all: Slot[];
  private readonly sums: ClusterTotals;
  private ports: readonly number[] = [];
  private stopping = false;
  private readonly monitor = new ProcessMonitor();

  constructor(config: Config, options: ClusterMediaServiceOptions = {}) {
    this.config = config;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? noLog;
    const length = config.workerProcesses === 'auto' ? availableParallelism() : config.workerProcesses;
    this.all = Array.from({ length }, (_, i) => new Slot(i, this));
    this.closed = new ClosedRecord(() => this.clock.wall());
    this.management = new ClusterManagement(this.all, this.closed, this.orders, this.clock);
    this.sums = new ClusterTotals(this.all);
    this.fleet = new ClusterFleetSide(this.all, this.clock, options.ownership);
  }

  /** The number of workers. */
  get slots(): number {
    return this.all.length;
  }

  get ready(): boolean {
    return !this.stopping && this.unavailable.length === 0;
  }

  get unavailable(): readonly number[] {
    return this.all.flatMap((slot, n) => (slot.ready ? [] : [n]));
  }

  get kmpAddresses(): { host: string; port: number }[] {
    const listen = this.config.kmpServers.flatMap((server) => server.listen);
    return listen.map((at, i) => ({
      host: at.path === undefined ? at.host : addressName(at),
      port: this.ports[i] ?? at.port,
    }));
  }

  async start(): Promise<void> {
    await testInternals();
    if (this.slots > 1 && !inUse('handover')) {
      this.log.warn(`one worker is started, not ${this.slots}: sockets cannot move between processes (handover)`);
      this.all.length = 1;
    }
    cluster.setupPrimary({
      ...workerProgram(),
      serialization: 'advanced',
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'],
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
    const done = await Promise.allSettled(this.all.filter((slot) => slot.ready).map((slot) => slot.reload(config)));
    // A worker that dies meanwhile is replaced by one with the new configuration.
    const failed = done.find((one) => one.status === 'rejected' && !(one.reason instanceof WorkerUnavailable));
    if (failed?.status !== 'rejected') return;
    // All workers follow the same configuration: those that have taken the new one go back.
    this.config = before;
    await Promise.allSettled(this.all.map((slot) => slot.reload(before)));
    throw failed.reason;
  }

  totals(): Promise<ServiceTotals> {
    return this.sums.take();
  }

  async processes(): Promise<Record<string, ProcessStats>> {
    const all: Record<string, ProcessStats> = { main: await this.monitor.read() };
    const answers = await Promise.allSettled(this.all.map((slot) => slot.ask({ name: 'process' })));
    for (const [n, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') all[`worker-${n}`] = answer.value as ProcessStats;
    }
    return all;
  }

  reopenLogs(): void {
    for (const slot of this.all) slot.reopenLogs();
  }

  async stop(timeout?: number): Promise<void> {
    this.stopping = true;
    await Promise.all(this.all.map((slot) => slot.stop(timeout)));
    this.monitor.stop();
  }

  kill(): void {
    this.stopping = true;
    this.monitor.stop();
    for (const slot of this.all) slot.kill();
  }

  misplaced(message: Misplaced, socket: Socket): void {
    const { slot, listener, head } = message;
    const there = this.all[slot];
    if (there === undefined) socket.destroy();
    else there.deliver({ kind: 'connection', listener, head }, socket);
  }
}
