import type { Socket } from 'node:net';
import { peerAddress, UNIX_PEER } from '../../net/peer.js';

/** Limits of the connections of an HTTP server. 0: no limit. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxPerAddress: number;
}

/** Connections beyond `maxConnections` in which only health checks are answered. */
const RESERVE = 32;

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly reserved: boolean;
  /** Requests in progress. A connection without any is idle: it may be closed in favour of a new one. */
  requests: number;
}

/**
 * Decides which connections an HTTP server accepts. At a limit, a new connection takes the place of the one that has
 * been idle longest. If none is idle, a few more connections are accepted for health checks: else a supervisor would
 * restart a busy service.
 */
export class ConnectionGate {
  /** All connections, those that have been idle longest first. */
  private readonly all = new Set<Connection>();
  private readonly bySocket = new WeakMap<Socket, Connection>();
  private readonly counts = new Map<string, number>();
  private reserved = 0;

  /** @param allowed whether a client with this address may connect at all */
  constructor(
    public limits: ConnectionLimits,
    public allowed: (address: string | undefined) => boolean,
  ) {}

  /** Returns why a new connection is refused; undefined: it is accepted. */
  refusal(socket: Socket): string | undefined {
    const address = peerAddress(socket);
    if (address === undefined) return 'it is closed';
    if (!this.allowed(address)) return 'denied by the configuration';
    const { maxConnections, maxPerAddress } = this.limits;
    if (address !== UNIX_PEER && maxPerAddress > 0 && (this.counts.get(address) ?? 0) >= maxPerAddress) {
      const replaced = this.closeIdle((one) => one.address === address);
      if (!replaced)
        return `${maxPerAddress} connections of this address are busy (kmp_rtmp_http_max_connections_per_address)`;
    }
    let reserved = false;
    if (
      maxConnections > 0 &&
      this.all.size - this.reserved >= maxConnections &&
      !this.closeIdle((one) => !one.reserved)
    ) {
      const room = this.reserved < RESERVE || this.closeIdle((one) => one.reserved);
      if (!room) return `${maxConnections} connections are busy (kmp_rtmp_http_max_connections)`;
      reserved = true;
    }
    this.add({ socket, address, reserved, requests: 0 });
    return undefined;
  }

  /** Makes another socket stand for the same connection: that of TLS on top of it. */
  alias(socket: Socket, secured: Socket): void {
    const connection = this.bySocket.get(socket);
    if (connection !== undefined) this.bySocket.set(secured, connection);
  }

  /** Whether only health checks are answered in this connection. */
  isReserved(socket: Socket): boolean {
    return this.bySocket.get(socket)?.reserved === true;
  }

  /** A request has begun. Returns the function to call at its end. */
  begin(socket: Socket): () => void {
    const connection = this.bySocket.get(socket);
    if (connection === undefined) return () => {};
    connection.requests++;
    return () => {
      connection.requests--;
      // From now on it is idle: behind all others.
      if (this.all.delete(connection)) this.all.add(connection);
    };
  }

  private add(connection: Connection): void {
    const { socket, address, reserved } = connection;
    this.all.add(connection);
    this.bySocket.set(socket, connection);
    this.counts.set(address, (this.counts.get(address) ?? 0) + 1);
    if (reserved) this.reserved++;
    socket.once('close', () => this.remove(connection));
  }

  private remove(connection: Connection): void {
    if (!this.all.delete(connection)) return;
    const { address, reserved } = connection;
    const count = (this.counts.get(address) ?? 1) - 1;
    if (count === 0) this.counts.delete(address);
    else this.counts.set(address, count);
    if (reserved) this.reserved--;
  }

  /** Closes the matching connection that has been idle longest; returns whether there is one. */
  private closeIdle(matches: (connection: Connection) => boolean): boolean {
    for (const connection of this.all) {
      if (connection.requests > 0 || !matches(connection)) continue;
      this.remove(connection);
      connection.socket.destroy();
      return true;
    }
    return false;
  }
}
