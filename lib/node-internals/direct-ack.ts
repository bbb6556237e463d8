import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { inUse } from './internals.js';
import { socketHandle } from './socket-handle.js';

/**
 * Writes a few bytes to the kernel at once, past the stream, which would cost more than the bytes. Returns how many bytes the
 * kernel took: 0 if it has no room, if others wait ahead of them, or if this is not in use.
 */
export function writeAtOnce(socket: Socket, bytes: Buffer): number {
  return inUse('direct acks') ? writeToDescriptor(socket, bytes) : 0;
}

/** Without asking whether the internal has been tested: the test calls it. */
export function writeToDescriptor(socket: Socket, bytes: Buffer): number {
  const handle = socket.writableLength === 0 && !socket.connecting ? socketHandle(socket) : undefined;
  if (handle === undefined) return 0;
  try {
    return writeSync(handle.fd, bytes);
  } catch {
    // There is no room, or the connection is gone. In either case the stream's own write says so.
    return 0;
  }
}
