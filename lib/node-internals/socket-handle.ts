import { writeSync } from 'node:fs';
import type { Server, Socket } from 'node:net';

/** What of Node's handle of a socket is used here. */
export interface SocketHandle {
  readonly fd: number;
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/**
 * Node's handle of a socket, if it shows its descriptor and can be told to stop and start reading. None of this is
 * documented, so it is asked of each socket; where it is missing, sockets are read and written as always.
 */
export function socketHandle(socket: Socket | Server): SocketHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  const has = (name: string): boolean => typeof Reflect.get(handle, name) === 'function';
  if (typeof fd !== 'number' || fd < 0 || !has('readStart') || !has('readStop')) return undefined;
  return handle as SocketHandle;
}

/**
 * Hands `bytes` to the kernel at once, past the stream, which costs more than so few bytes. How many it took: 0 if it has no room,
 * or if others wait ahead of them.
 */
export function writeAtOnce(socket: Socket, bytes: Buffer): number {
  const handle = socket.writableLength === 0 && !socket.connecting ? socketHandle(socket) : undefined;
  if (handle === undefined) return 0;
  try {
    return writeSync(handle.fd, bytes);
  } catch {
    // No room, or a connection that is gone: the stream finds out, and says so.
    return 0;
  }
}
