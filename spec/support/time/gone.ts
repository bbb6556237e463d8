import type net from 'node:net';

/** Settles when the socket has closed, after an error too: once() would fail for a reset. */
export function gone(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}
