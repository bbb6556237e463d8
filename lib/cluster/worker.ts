import type { Socket } from 'node:net';
import { KmpRtmpError, messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Ownership } from '../upstream/ownership/ownership.js';
import type { KmpRouter } from '../upstream/intake/kmp-listener.js';
import { LocalMediaService } from '../media-service/local-media-service.js';
import type { ClosedUpstreamReport } from '../upstream/report/closed.js';
import { answerQuestion } from '../management/question.js';
import type { Connection, Misplaced, ToPrimary, ToWorker } from './messages.js';
import { slotOf } from '../placement/rendezvous.js';

/** How many connection numbers one worker has; the next worker of its slot begins above them. */
const NUMBERS = 1e9;

/** The process that a worker runs in. */
export interface WorkerProcess {
  send(message: ToPrimary): void;
  /** Passes a connection to the primary. @param gone called once: the connection is sent, or closed */
  pass(message: Misplaced, socket: Socket, gone: () => void): void;
}

type Start = Extract<ToWorker, { kind: 'start' }>;

/**
 * One worker: the media side in this process, which the primary controls. A connection that arrives here but belongs to
 * another worker is handed over, with the bytes that have been read of it.
 */
export class Worker implements KmpRouter {
  private readonly media: LocalMediaService;
  private numbers: number;

  constructor(
    private readonly start: Start,
    private readonly host: WorkerProcess,
    log: Logger,
  ) {
    const { slot, slots, generation, orders } = start;
    this.numbers = generation * NUMBERS;
    // The slots take turns, so that no two workers give the same number.
    const nextConnection = (): number => this.numbers++ * slots + slot + 1;
    const closed = {
      add: (report: ClosedUpstreamReport) => host.send({ kind: 'closed', report }),
      live: (id: string) => host.send({ kind: 'live', id }),
    };
    const ownership: Ownership = {
      began: (id, epoch) => host.send({ kind: 'began', id, epoch }),
      ended: (id, epoch, reason) => host.send({ kind: 'ended', id, epoch, reason }),
    };
    const options = { log, nextConnection, workers: slots, router: this, closed, orders };
    this.media = new LocalMediaService(start.config, start.fleet === undefined ? options : { ...options, ownership });
    if (start.fleet !== undefined) this.media.fleet.setTable(start.fleet);
    this.media.fleet.fence(start.fences);
  }

  async run(): Promise<void> {
    try {
      await this.media.start();
      this.host.send({ kind: 'started', ports: this.media.kmpAddresses.map(({ port }) => port) });
    } catch (error) {
      const code = error instanceof KmpRtmpError ? error.code : 'worker_failed';
      this.host.send({ kind: 'failed', code, message: messageOf(error) });
    }
  }

  isHere(upstreamId: string): boolean {
    return slotOf(upstreamId, this.start.slots) === this.start.slot;
  }

  transfer(socket: Socket, upstreamId: string, head: Buffer, listener: string, gone: () => void): void {
    const slot = slotOf(upstreamId, this.start.slots);
    this.host.pass({ kind: 'misplaced', slot, listener, head }, socket, gone);
  }

  /** Takes over a connection that another worker has accepted. `socket` is undefined if it was closed on the way. */
  adopt({ listener: name, head }: Connection, socket: Socket | undefined): void {
    if (socket === undefined) return;
    const listener = this.media.listener(name);
    if (listener === undefined) socket.destroy();
    else listener.adopt(socket, Buffer.from(head));
  }

  handle(message: ToWorker): void {
    switch (message.kind) {
      case 'reload':
        this.answer(message.call, () => this.media.reload(message.config));
        return;
      case 'orders':
        this.media.management.loadOrders(message.orders);
        return;
      case 'fleet':
        this.media.fleet.setTable(message.table);
        return;
      case 'fence':
        this.media.fleet.fence(message.fences);
        return;
      case 'keyFrame':
        this.answer(message.call, () => this.media.fleet.keyFrame(message.id));
        return;
      case 'moveAway':
        this.answer(message.call, () => this.media.fleet.moveAway(message.id));
        return;
      case 'stop':
        this.answer(message.call, () => this.media.stop(message.timeout));
        return;
      case 'ask':
        this.answer(message.call, () => answerQuestion(this.media, message.what));
        return;
      default:
    }
  }

  stop(): Promise<void> {
    return this.media.stop();
  }

  private answer(call: number, work: () => Promise<unknown>): void {
    work().then(
      (value) => this.host.send({ kind: 'answer', call, value }),
      (error: unknown) => this.host.send({ kind: 'answer', call, error: messageOf(error) }),
    );
  }
}
