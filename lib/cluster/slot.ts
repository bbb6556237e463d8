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

/** A worker that died sooner than this after its start, ms, is not replaced at once. */
const QUICK_DEATH = 5_000;
const MAX_RESTART_DELAY = 10_000;
/** Connections that may wait for a slot's next worker; more are closed, and their senders come again. */
const MAX_WAITING = 10_000;

export interface SlotOwner {
  readonly clock: Clock;
  readonly log: Logger;
  /** The configuration that a new worker gets. */
  readonly config: Config;
  readonly slots: number;
  misplaced(message: Extract<ToPrimary, { kind: 'misplaced' }>, socket: Socket): void;
}

/**
 * The place of one worker: keeps a process in it, and what comes for it while there is none. Connections wait here for the
 * replacement of a worker that died, so that the tracks of an upstream always meet in the same slot.
 */
export class Slot {
  private worker: ChildWorker | undefined;
  /** Counts the workers that have been here. */
  generation = -1;
  private up = false;
  private stopping = false;
  private startedAt = 0;
  private delay = 0;
  private timer: Timer | undefined;
  private readonly calls = new Calls();
  private waiting: { message: ToWorker; socket: Socket }[] = [];
  private settle: { resolve(ports: readonly number[]): void; reject(error: Error): void } | undefined;

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

  /** Starts the first worker; gives the ports that it listens on. @throws what it could not start for */
  start(): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      this.fork();
    });
  }

  /** Resolves when the worker has done it; a worker that dies over it has not. */
  call(make: (call: number) => ToWorker): Promise<unknown> {
    const { worker } = this;
    if (worker === undefined || !this.up) return Promise.reject(new Error('the worker is being replaced'));
    return this.calls.make((call) => worker.send(make(call)));
  }

  /** Gives the worker a connection, or keeps it for the next one. */
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
    worker.on('message', (message: ToPrimary, socket?: Socket) => this.heard(message, socket));
    worker.on('error', () => {});
    worker.on('exit', (code, signal) => this.died(signal ?? `status ${code}`));
  }

  private heard(message: ToPrimary, socket: Socket | undefined): void {
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
        this.settle?.resolve(message.ports);
        this.settle = undefined;
        for (const { message: late, socket: one } of this.waiting.splice(0)) this.send(late, one);
        return;
      case 'failed':
        this.settle?.reject(new KmpRtmpError(message.code, message.message));
        this.settle = undefined;
        owner.log.error(`worker ${this.slot}: ${message.message}`);
        return;
      case 'answer':
        this.calls.answer(message.call, message.value, message.error);
        return;
      case 'misplaced':
        if (socket === undefined) return;
        // Node begins to read a socket that it is given; what came now would be lost on the way.
        stopReadingForGood(socket);
        socket.on('error', () => {});
        owner.misplaced(message, socket);
        return;
    }
  }

  private send(message: ToWorker, socket: Socket): void {
    // The descriptor is the worker's now; what is left here is a shell.
    this.worker?.send(message, socket, {}, () => socket.destroy());
  }

  private died(how: string): void {
    this.up = false;
    this.worker = undefined;
    this.calls.failAll('the worker died');
    if (this.settle !== undefined) {
      this.settle.reject(new Error(`worker ${this.slot} ended while starting: ${how}`));
      this.settle = undefined;
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
