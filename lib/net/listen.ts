import type { Server } from 'node:net';
import { KmpRtmpError } from '../base/errors.js';
import { listenOnSocket, removeSocket } from './unix-socket.js';

/** Listening failed: the port is in use, not permitted, or the address does not exist. */
export class ListenError extends KmpRtmpError {
  constructor(address: string, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const why =
      code === 'EADDRINUSE'
        ? 'another process already listens there (`ss -ltnp` shows which one)'
        : code === 'EACCES'
          ? 'permission denied (ports below 1024 need the capability CAP_NET_BIND_SERVICE)'
          : code === 'EADDRNOTAVAIL'
            ? 'this machine does not have this address'
            : String(cause);
    super('listen_failed', `cannot listen on ${address}: ${why}`, { cause });
  }
}

/** An address to listen on, as in the directive `listen`. */
export interface ListenOn {
  /** Path of a Unix-domain socket; then `host` is empty and `port` is 0. */
  readonly path?: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** For an IPv6 host: do not accept IPv4 connections. */
  readonly ipv6Only: boolean;
  /** Maximum number of connections that wait to be accepted. */
  readonly backlog: number;
}

/** `host:port`, IPv6 in brackets; `unix:PATH` for a Unix-domain socket. */
export function addressName({ host, port, path }: Pick<ListenOn, 'host' | 'port' | 'path'>): string {
  if (path !== undefined) return `unix:${path}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Resolves with the port when `server` listens. For port 0, the system chooses the port. @throws ListenError */
export async function listenOn(server: Server, address: ListenOn): Promise<number> {
  const { path } = address;
  try {
    if (path === undefined) return await listen(server, address);
    await listenOnSocket(server, path, (own) => listen(server, { ...address, path: own }));
    return 0;
  } catch (error) {
    throw new ListenError(addressName(address), error);
  }
}

/** Stops accepting connections. `done` is called when the last one has ended. */
export function closeServer(server: Server, done?: () => void): void {
  removeSocket(server);
  server.close(() => done?.());
}

function listen(server: Server, address: ListenOn): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const { path, host, port, ipv6Only, backlog } = address;
    server.listen(path === undefined ? { host, port, ipv6Only, backlog } : { path, backlog }, () => {
      server.off('error', reject);
      const bound = server.address();
      resolve(bound !== null && typeof bound === 'object' ? bound.port : address.port);
    });
  });
}
