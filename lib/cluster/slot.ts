import type { Worker as ChildWorker } from 'node:cluster';
import { Socket } from 'node:net';
import type { Clock, Timer } from '../time/clock.js';
import type { Config } from '../config/config.js';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { internalsReport } from '../node-internals/internals.js';
import { stopReadingForGood } from '../node-internals/stop-reading.js';
import type { Orders } from '../upstream/orders/orders.js';
import type { ClosedRecord } from '../upstream/report/closed-record.js';
import type { Question } from '../management/question.js';
import { Calls } from './calls.js';
import type { ClusterFleetSide } from './cluster-fleet-side.js';
import { Deliveries } from './deliveries.js';
import { CHANNEL_FD, MessageChannel } from './message-channel.js';
import type { Connection, Misplaced, ToPrimary, ToWorker } from './messages.js';
import { WorkerWatch } from './worker-watch.js';
import { WorkerUnavailable } from '../upstream/report/unavailable.js';
import { forkWorker } from './worker-program.js';

/** A worker that lived for less than this, ms, is replaced after a delay, which grows with each such worker. */
const QUICK_DEATH = 5_000;
/** The longest such delay, ms. */
const MAX_RESTART_DELAY = 10_000;
/** How long a question to a worker waits for its answer, ms. */
const ANSWER_TIMEOUT = 2_000;
/** How long a worker may take to start, or to take a new configuration, ms. */
const START_TIMEOUT = 30_000;
/** How much longer than `worker_shutdown_timeout` a worker may take to end, ms. */
const SHUTDOWN_MARGIN = 2_000;
export interface SlotOwner {
  readonly clock: Clock;
  readonly log: Logger;
  /** The configuration for new workers. */
  readonly config: Config;
  readonly slots: number;
  /** The orders of operators: a worker that replaces another one gets them before it accepts senders. */
  readonly orders: Pick<Orders, 'changes' | 'snapshot'>;
  /** The record of ended upstreams, over all workers and their replacements. */
  readonly closed: Pick<ClosedRecord, 'add' | 'live'>;
  /** What workers must know of the fleet, and what they report to it. */
  readonly fleet: ClusterFleetSide;
  misplaced(message: Misplaced, socket: Socket): void;
}

/**
 * The place of one worker. Starts its process and replaces it when it dies. Until then, connections for it wait here,
 * so that all tracks of an upstream meet in the same slot.
 */
export class Slot {
  private worker: ChildWorker | undefined;
  private channel: MessageChannel<ToWorker, ToPrimary> | undefined;
  /** The number of workers that were here before the present one; -1 before the first. */
  generation = -1;
  private up = false;
  private stopping = false;
  private startedAt = 0;
  private delay = 0;
  private timer: Timer | undefined;
  private watch: WorkerWatch | undefined;
  private readonly calls: Calls;
  private readonly deliveries = new Deliveries<Connection>();
  /** The number of changes that the orders had which the worker has got last. */
  private ordersGiven = 0;
  /** Settles {@link start}; undefined once that is done. */
  private starting: { resolve(ports: readonly number[]): void; reject(error: Error): void } | undefined;

  constructor(
    private readonly slot: number,
    private readonly owner: SlotOwner,
  ) {
    this.calls = new Calls(owner.clock);
  }

  /** True while its worker listens and shows signs of life. */
  get ready(): boolean {
    return this.up && this.watch?.isSilent !== true;
  }

  get pid(): number | undefined {
    return this.worker?.process.pid;
  }

  /**
   * Starts the first worker; resolves with the ports that it listens on. @throws the error that kept it from starting
   */
  start(): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      this.starting = { resolve, reject };
      this.fork();
    });
  }

  /**
   * Asks the worker a question. Resolves with its answer; rejects if it fails.
   *
   * @throws WorkerUnavailable if the worker is being replaced, dies, or does not answer
   */
  ask(what: Question, timeout = ANSWER_TIMEOUT): Promise<unknown> {
    if (this.up && !this.ready) {
      return Promise.reject(new WorkerUnavailable(`worker ${this.slot} does not answer`));
    }
    return this.call((call) => ({ kind: 'ask', call, what }), timeout);
  }

  /** Gives the worker all orders of operators. One that is being started gets them as soon as it can take them. */
  giveOrders(): void {
    if (!this.up) return;
    this.ordersGiven = this.owner.orders.changes;
    this.channel?.send({ kind: 'orders', orders: this.owner.orders.snapshot() });
  }

  /** Sends the worker a message that needs no answer. One that is being started gets what it needs at its start. */
  tell(message: ToWorker): void {
    this.channel?.send(message);
  }

  /** Has the worker carry out an order of the fleet. @throws as {@link ask} */
  order(kind: 'keyFrame' | 'moveAway', id: string, timeout: number): Promise<unknown> {
    return this.call((call) => ({ kind, call, id }), timeout);
  }

  /** Gives the worker a new configuration. @throws as {@link ask} */
  reload(config: Config): Promise<unknown> {
    return this.call((call) => ({ kind: 'reload', call, config }), START_TIMEOUT);
  }

  /** Gives the worker a connection, or keeps it for the next worker. */
  deliver(message: Connection, socket: Socket): void {
    if (this.stopping && !this.up) socket.destroy();
    else this.deliveries.add(message, socket);
  }

  reopenLogs(): void {
    if (this.up) this.channel?.send({ kind: 'reopen' });
  }

  async stop(left?: number): Promise<void> {
    this.stopping = true;
    this.timer?.cancel();
    this.deliveries.close();
    const timeout = (left ?? this.owner.config.workerShutdownTimeout) + SHUTDOWN_MARGIN;
    await this.call((call) => ({ kind: 'stop', call, timeout: left }), timeout).catch((error: unknown) => {
      if (this.up) this.owner.log.error(`worker ${this.slot} is killed, because it does not end: ${messageOf(error)}`);
    });
    this.kill();
  }

  kill(): void {
    this.stopping = true;
    this.up = false;
    this.timer?.cancel();
    this.watch?.stop();
    this.worker?.process.kill('SIGKILL');
  }

  private call(make: (call: number) => ToWorker, timeout: number): Promise<unknown> {
    const { channel } = this;
    if (channel === undefined || !this.up) {
      return Promise.reject(new WorkerUnavailable(`worker ${this.slot} is being replaced`));
    }
    return this.calls.make((call) => channel.send(make(call)), timeout);
  }

  private fork(): void {
    this.generation++;
    this.startedAt = this.owner.clock.now();
    let worker: ChildWorker;
    try {
      worker = forkWorker();
    } catch (error) {
      this.onExit(messageOf(error));
      return;
    }
    this.worker = worker;
    // Without a free descriptor or process, there are no streams, and no exit follows the error.
    const stream = (worker.process.stdio as readonly unknown[] | undefined)?.[CHANNEL_FD];
    if (stream instanceof Socket)
      this.channel = new MessageChannel(stream, (message) => this.onMessage(message, worker));
    worker.on('message', (message: Misplaced, socket?: Socket) => this.misplaced(message, socket));
    worker.on('error', (error) => {
      if (worker.process.pid === undefined && this.worker === worker) this.onExit(messageOf(error));
    });
    worker.on('exit', (code, signal) => this.onExit(signal ?? `status ${code}`));
    this.timer = this.owner.clock.after(
      START_TIMEOUT,
      () => this.hangs(`does not start in ${START_TIMEOUT} ms`),
      false,
    );
  }

  private onMessage(message: ToPrimary, from: ChildWorker): void {
    const { owner } = this;
    // Of a worker that has died, only what it has to report counts.
    if (from === this.worker) this.watch?.heard();
    else if (message.kind !== 'closed' && message.kind !== 'live') return;
    switch (message.kind) {
      case 'alive':
        return;
      case 'online':
        this.ordersGiven = owner.orders.changes;
        this.channel?.send({
          kind: 'start',
          slot: this.slot,
          slots: owner.slots,
          generation: this.generation,
          config: owner.config,
          orders: owner.orders.snapshot(),
          internals: internalsReport().inUse,
          fleet: owner.fleet.table,
          fences: owner.fleet.fences,
        });
        return;
      case 'started':
        this.up = true;
        this.timer?.cancel();
        if (this.ordersGiven !== owner.orders.changes) this.giveOrders();
        this.watch = new WorkerWatch(
          owner.clock,
          () => this.channel?.send({ kind: 'ping' }),
          () => this.hangs('gives no sign of life'),
        );
        this.starting?.resolve(message.ports);
        this.starting = undefined;
        this.deliveries.sendAll(from);
        return;
      case 'failed':
        this.starting?.reject(new KmpRtmpError(message.code, message.message));
        this.starting = undefined;
        owner.log.error(`worker ${this.slot}: ${message.message}`);
        return;
      case 'answer':
        this.calls.answer(message.call, message.value, message.error);
        return;
      case 'closed':
        owner.closed.add(message.report);
        return;
      case 'live':
        owner.closed.live(message.id);
        return;
      case 'began':
        owner.fleet.began(this.slot, message.id, message.epoch);
        return;
      case 'ended':
        owner.fleet.ended(this.slot, message.id, message.epoch, message.reason);
        return;
    }
  }

  private misplaced(message: Misplaced, socket: Socket | undefined): void {
    this.watch?.heard();
    if (socket === undefined) return;
    // Node reads a socket as soon as it receives it, and bytes that it read here would be lost on the way.
    stopReadingForGood(socket);
    socket.on('error', () => {});
    this.owner.misplaced(message, socket);
  }

  private hangs(what: string): void {
    const pid = this.worker?.process.pid;
    this.owner.log.error(`worker ${this.slot} (process ${pid}) hangs: it ${what}; it is killed`);
    this.worker?.process.kill('SIGKILL');
  }

  private onExit(how: string): void {
    this.up = false;
    this.worker = undefined;
    this.channel = undefined;
    this.watch?.stop();
    this.timer?.cancel();
    this.calls.failAll(`worker ${this.slot} died`);
    this.deliveries.workerDied();
    this.owner.fleet.workerDied(this.slot);
    if (this.starting !== undefined) {
      this.starting.reject(new Error(`worker ${this.slot} ended while starting: ${how}`));
      this.starting = undefined;
      return;
    }
    if (this.stopping) {
      this.deliveries.close();
      return;
    }
    const { clock, log } = this.owner;
    const quick = clock.now() - this.startedAt < QUICK_DEATH;
    this.delay = quick ? Math.min(MAX_RESTART_DELAY, this.delay * 2 + 250) : 0;
    log.error(`worker ${this.slot} died (${how}); another takes its place${quick ? ` in ${this.delay} ms` : ''}`);
    this.timer = clock.after(this.delay, () => this.fork());
  }
}
