import type { Socket } from 'node:net';
import type { Peer } from './proxy-protocol.js';

/** The address of clients of a Unix-domain socket, as in `allow unix:`. */
export const UNIX_PEER = 'unix:';

/** Clients that are not the other end of their TCP connection. */
const peers = new WeakMap<Socket, Peer>();

/** Sets the address of the client, which a proxy has reported or which has none (a Unix-domain socket). */
export function setPeer(socket: Socket, peer: Peer): void {
  peers.set(socket, peer);
}

/** Address of the client; undefined if the connection is closed. Use this instead of `socket.remoteAddress`. */
export function peerAddress(socket: Socket): string | undefined {
  return peers.get(socket)?.address ?? socket.remoteAddress;
}

/** `address:port` of the client, for logs and the API; IPv6 in brackets. */
export function peerName(socket: Socket): string {
  const { address, port } = peers.get(socket) ?? { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
  if (address === UNIX_PEER) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
