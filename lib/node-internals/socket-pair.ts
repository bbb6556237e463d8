import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Two ends of one TCP connection over loopback. */
export interface SocketPair {
  /** The end that connected. */
  readonly client: Socket;
  /** The end that a server accepted. */
  readonly accepted: Socket;
}

/** Checks `done` in each turn of the event loop until it returns true. @throws if that takes too long */
export type Until = (done: () => boolean, what: string) => Promise<void>;

/** Makes connections of a process to itself, to test what its sockets can do. */
export class SocketPairs {
  private readonly server: Server = createServer((socket) => this.accept(socket));
  private readonly sockets: Socket[] = [];
  private readonly acceptedFrom = new Map<number, Socket>();

  /** @throws if no loopback address can be listened on */
  async open(): Promise<void> {
    try {
      await this.listen('127.0.0.1');
    } catch {
      await this.listen('::1');
    }
  }

  /** @throws if the process cannot connect to itself */
  async pair(until: Until): Promise<SocketPair> {
    const { address, port } = this.server.address() as AddressInfo;
    let problem: Error | undefined;
    const client = connect(port, address).on('error', (error) => (problem ??= error));
    this.sockets.push(client);
    let accepted: Socket | undefined;
    await until(() => {
      accepted = this.acceptedFrom.get(client.localPort ?? 0);
      return problem !== undefined || (client.readyState === 'open' && accepted !== undefined);
    }, 'a connection over loopback');
    if (problem !== undefined || accepted === undefined) throw problem ?? new Error('no connection over loopback');
    return { client, accepted };
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private accept(socket: Socket): void {
    socket.on('error', () => {});
    this.sockets.push(socket);
    this.acceptedFrom.set(socket.remotePort ?? 0, socket);
  }

  private async listen(host: string): Promise<void> {
    // Exclusive, because otherwise all workers of a cluster would share the port.
    this.server.listen({ host, port: 0, exclusive: true });
    await once(this.server, 'listening');
  }
}
