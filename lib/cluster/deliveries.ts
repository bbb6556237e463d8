import type { Worker as ChildWorker } from 'node:cluster';
import type { Socket } from 'node:net';
import type { ToWorker } from './messages.js';

/** Connections that may wait for a slot's next worker. Further ones are closed; their senders connect again. */
const MAX_WAITING = 10_000;

/** A connection for a worker: its listener, and the bytes that have been read of it. */
interface Delivery {
  readonly message: ToWorker;
  readonly socket: Socket;
}

/** The connections on their way to a worker, and those that wait for the next one. */
export class Deliveries {
  private waiting: Delivery[] = [];
  private readonly underWay = new Set<Delivery>();

  /** Keeps a connection for the next worker. */
  keep(message: ToWorker, socket: Socket): void {
    if (this.waiting.length >= MAX_WAITING) socket.destroy();
    else this.waiting.push({ message, socket });
  }

  send(worker: ChildWorker, message: ToWorker, socket: Socket): void {
    const delivery = { message, socket };
    this.underWay.add(delivery);
    worker.send(message, socket, {}, () => {
      // The worker has the descriptor now, and nothing of the socket is left here. If the worker has died before, the
      // socket is kept for the next one.
      if (this.underWay.delete(delivery)) socket.destroy();
    });
  }

  /** Sends what has waited to a new worker. */
  sendAll(worker: ChildWorker): void {
    for (const { message, socket } of this.waiting.splice(0)) this.send(worker, message, socket);
  }

  /** The worker has died. Connections that it did not get wait for the next one. */
  workerDied(): void {
    for (const { message, socket } of this.underWay) this.keep(message, socket);
    this.underWay.clear();
  }

  /** Closes the connections that wait: there is no next worker. */
  close(): void {
    for (const { socket } of this.waiting.splice(0)) socket.destroy();
  }
}
