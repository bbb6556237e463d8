import cluster, { type Worker as ChildWorker } from 'node:cluster';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../time/clock.js';
import type { Config } from '../config/config.js';
import { KmpRtmpError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { internalsReport } from '../node-internals/internals.js';
import { stopReadingForGood } from '../node-internals/stop-reading.js';
import { Calls } from './calls.js';
import type { ToPrimary, ToWorker } from './messages.js';

/** A worker that lived for less than this, ms, is replaced after a delay, which grows with each such worker. */
const QUICK_DEATH = 5_000;
/** The longest such delay, ms. */
const MAX_RESTART_DELAY = 10_000;
/** Connections that may wait for a slot's next worker. Further ones are closed; their senders connect again. */
const MAX_WAITING = 10_000;

export interface SlotOwner {
  readonly clock: Clock;
  readonly log: Logger;
  /** The configuration for new workers. */
  readonly config: Config;
  readonly slots: number;
  misplaced(message: Extract<ToPrimary, { kind: 'misplaced' }>, socket: Socket): void;
}

/**
 * The place of one worker. Starts its process and replaces it when it dies. Until then, connections for it wait here,
 * so that all tracks of an upstream meet in the same slot.
 */
export class Slot {
  private worker: ChildWorker | undefined;
  /** The number of workers that were here before the present one; -1 before the first. */
  generation = -1;
  private up = false;
  private stopping = false;
  private startedAt = 0;
  private delay = 0;
  private timer: Timer | undefined;
  private readonly calls = new Calls();
  private waiting: { message: ToWorker; socket: Socket }[] = [];
  /** Settles {@link start}; undefined once that is done. */
  private starting: { resolve(ports: readonly number[]): void; reject(error: Error): void } | undefined;

  constructor(
    private readonly slot: number,
    private readonly owner: SlotOwner,
  ) {}

  /** True while its worker listens. */
  get ready(): boolean {
    return this.up;
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

  /** Asks the worker to do something. Resolves with its answer; rejects if it fails, or dies before it has answered. */
  call(make: (call: number) => ToWorker): Promise<unknown> {
    const { worker } = this;
    if (worker === undefined || !this.up) return Promise.reject(new Error('the worker is being replaced'));
    return this.calls.make((call) => worker.send(make(call)));
  }

  /** Gives the worker a connection, or keeps it for the next worker. */
  deliver(message: ToWorker, socket: Socket): void {
    if (this.up && this.worker !== undefined) {
      this.send(message, socket);
    } else if (this.stopping || this.waiting.length >= MAX_WAITING) {
      socket.destroy();
    } else {
      this.waiting.push({ message, socket });
    }
  }

  reopenLogs(): void {
    if (this.up) this.worker?.send({ kind: 'reopen' } satisfies ToWorker);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.timer?.cancel();
    for (const { socket } of this.waiting.splice(0)) socket.destroy();
    await this.call((call) => ({ kind: 'stop', call })).catch(() => {});
    this.kill();
  }

  kill(): void {
    this.stopping = true;
    this.up = false;
    this.timer?.cancel();
    this.worker?.process.kill('SIGKILL');
  }

  private fork(): void {
    this.generation++;
    this.startedAt = this.owner.clock.now();
    const worker = cluster.fork();
    this.worker = worker;
    worker.on('message', (message: ToPrimary, socket?: Socket) => this.onMessage(message, socket));
    worker.on('error', () => {});
    worker.on('exit', (code, signal) => this.onExit(signal ?? `status ${code}`));
  }

  private onMessage(message: ToPrimary, socket: Socket | undefined): void {
    const { owner } = this;
    switch (message.kind) {
      case 'online':
        this.worker?.send({
          kind: 'start',
          slot: this.slot,
          slots: owner.slots,
          generation: this.generation,
          config: owner.config,
          internals: internalsReport().inUse,
        } satisfies ToWorker);
        return;
      case 'started':
        this.up = true;
        this.starting?.resolve(message.ports);
        this.starting = undefined;
        for (const waiting of this.waiting.splice(0)) this.send(waiting.message, waiting.socket);
        return;
      case 'failed':
        this.starting?.reject(new KmpRtmpError(message.code, message.message));
        this.starting = undefined;
        owner.log.error(`worker ${this.slot}: ${message.message}`);
        return;
      case 'answer':
        this.calls.answer(message.call, message.value, message.error);
        return;
      case 'misplaced':
        if (socket === undefined) return;
        // Node reads a socket as soon as it receives it, and bytes that it read here would be lost on the way.
        stopReadingForGood(socket);
        socket.on('error', () => {});
        owner.misplaced(message, socket);
        return;
    }
  }

  private send(message: ToWorker, socket: Socket): void {
    // Afterwards the worker has the descriptor, and nothing of the socket is left here.
    this.worker?.send(message, socket, {}, () => socket.destroy());
  }

  private onExit(how: string): void {
    this.up = false;
    this.worker = undefined;
    this.calls.failAll('the worker died');
    if (this.starting !== undefined) {
      this.starting.reject(new Error(`worker ${this.slot} ended while starting: ${how}`));
      this.starting = undefined;
      return;
    }
    if (this.stopping) return;
    const { clock, log } = this.owner;
    const quick = clock.now() - this.startedAt < QUICK_DEATH;
    this.delay = quick ? Math.min(MAX_RESTART_DELAY, this.delay * 2 + 250) : 0;
    log.error(`worker ${this.slot} died (${how}); another takes its place${quick ? ` in ${this.delay} ms` : ''}`);
    this.timer = clock.after(this.delay, () => this.fork());
  }
}
