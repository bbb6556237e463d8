import { Socket } from 'node:net';

/** Bytes: as many as Node itself reads at once. */
const SIZE = 64 * 1024;

/** Node reads one socket after the other, and nothing refers to the buffer when a read has been handled. */
let shared: Buffer | undefined;

/**
 * From now on, Node reads the socket into one buffer that all such sockets share, and calls `onRead`. Otherwise, Node
 * allocates 64 KiB for each read, shortens them, and creates a Buffer. It does the same for a socket that a program
 * connects with the option `onread` of `net.connect`, but accepted sockets cannot have that option.
 *
 * @param onRead gets `n` bytes, which it must copy if it keeps them; if it returns false, Node reads nothing more until
 *   the stream of the socket asks for it
 * @returns false if this Node has no such reads, or the socket encrypts: nothing has changed
 */
export function readIntoSharedBuffer(socket: Socket, onRead: (bytes: Buffer, n: number) => boolean): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  const use: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'useUserBuffer') : undefined;
  const buffer = fieldOf(socket, 'kBuffer');
  const callback = fieldOf(socket, 'kBufferCb');
  if (socket.constructor !== Socket || typeof use !== 'function') return false;
  if (buffer === undefined || callback === undefined) return false;
  const bytes = (shared ??= Buffer.allocUnsafeSlow(SIZE));
  use.call(handle, bytes);
  Reflect.set(socket, buffer, bytes);
  Reflect.set(socket, callback, (n: number) => onRead(bytes, n));
  return true;
}

/** The symbol of a field of the socket. */
function fieldOf(socket: Socket, name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
}
