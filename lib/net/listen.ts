import type { Server } from 'node:net';
import { KmpRtmpError } from '../base/errors.js';

/** A port that cannot be listened on: in use, not permitted, no such address. */
export class ListenError extends KmpRtmpError {
  constructor(address: string, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const why =
      code === 'EADDRINUSE'
        ? 'another process listens there already'
        : code === 'EACCES'
          ? 'this user may not listen there (ports below 1024 need a right of their own)'
          : code === 'EADDRNOTAVAIL'
            ? 'this machine has no such address'
            : String(cause);
    super('LISTEN_FAILED', `cannot listen on ${address}: ${why}`, { cause });
  }
}

/** Where to listen; the shape of the configuration's `listen`. */
export interface ListenOn {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** An IPv6 host takes no IPv4. */
  readonly ipv6Only: boolean;
  /** Connections that may wait to be accepted. */
  readonly backlog: number;
}

/** `host:port`, IPv6 in brackets. */
export function addressName({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Resolves when `server` listens; gives the port, which was chosen by the system if `port` is 0. @throws ListenError */
export function listenOn(server: Server, address: ListenOn): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(new ListenError(addressName(address), error));
    server.once('error', onError);
    server.listen({ ...address }, () => {
      server.off('error', onError);
      const bound = server.address();
      resolve(bound !== null && typeof bound === 'object' ? bound.port : address.port);
    });
  });
}
