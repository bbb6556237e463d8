import type { Socket } from 'node:net';

/** A process that sockets can be sent to: a worker, or the primary. */
export interface SocketChannel<M> {
  send(message: M, socket: Socket, options: object, sent: (error: Error | null) => void): unknown;
}

/** How much may wait. */
export interface DeliveryLimits {
  readonly connections: number;
  /** Bytes that have been read of these connections. */
  readonly bytes: number;
}

/** Connections that are above this are closed; their senders connect again. */
const LIMITS: DeliveryLimits = { connections: 10_000, bytes: 64 * 1024 * 1024 };

/** A connection for another process: a message about it, and the bytes that have been read of it. */
interface Delivery<M> {
  readonly message: M;
  readonly socket: Socket;
  readonly gone: () => void;
}

/**
 * The connections on their way to another process, and those that wait for it. Node sends a socket when the other
 * process has confirmed the one before, and what else it has to send waits behind all of them. So it gets them one by
 * one.
 */
export class Deliveries<M extends { readonly head: Buffer }> {
  private waiting: Delivery<M>[] = [];
  private underWay: Delivery<M> | undefined;
  private bytes = 0;
  private channel: SocketChannel<M> | undefined;

  constructor(private readonly limits = LIMITS) {}

  /**
   * Sends a connection, or keeps it until there is a process that takes it.
   *
   * @param gone called once: the connection is sent, or closed
   */
  add(message: M, socket: Socket, gone: () => void = () => socket.destroy()): void {
    const { waiting, underWay, limits } = this;
    const connections = waiting.length + (underWay === undefined ? 0 : 1);
    if (connections >= limits.connections || this.bytes + message.head.length > limits.bytes) {
      socket.destroy();
      gone();
      return;
    }
    this.bytes += message.head.length;
    waiting.push({ message, socket, gone });
    this.next();
  }

  /** Sends what has waited, and all that comes from now on, to a process. */
  sendAll(channel: SocketChannel<M>): void {
    this.channel = channel;
    this.next();
  }

  /** The process has died. Connections that it did not get wait for the next one. */
  workerDied(): void {
    this.channel = undefined;
    if (this.underWay !== undefined) this.waiting.unshift(this.underWay);
    this.underWay = undefined;
  }

  /** Closes the connections that wait: there is no next process. */
  close(): void {
    for (const delivery of this.waiting.splice(0)) {
      delivery.socket.destroy();
      this.settle(delivery);
    }
  }

  private next(): void {
    const { channel } = this;
    if (channel === undefined || this.underWay !== undefined) return;
    const delivery = this.waiting.shift();
    if (delivery === undefined) return;
    this.underWay = delivery;
    channel.send(delivery.message, delivery.socket, {}, (error) => {
      // If the process has died before, the connection is kept for the next one.
      if (this.underWay !== delivery) return;
      this.underWay = undefined;
      // Without an error, the other process has the descriptor now.
      if (error !== null) delivery.socket.destroy();
      this.settle(delivery);
      this.next();
    });
  }

  private settle({ message, gone }: Delivery<M>): void {
    this.bytes -= message.head.length;
    gone();
  }
}
