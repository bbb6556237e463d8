import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { inUse } from './internals.js';
import { socketHandle } from './socket-handle.js';

/**
 * Writes a few bytes directly to the kernel. A write to the stream would cost more than the bytes. Returns how many
 * bytes the kernel took: 0 if it has no room, if other bytes wait ahead of them, or if this internal is not in use.
 */
export function writeAtOnce(socket: Socket, bytes: Buffer): number {
  return inUse('direct acks') ? writeToDescriptor(socket, bytes) : 0;
}

/**
 * Does not check whether the internal has been tested, because the test calls it.
 *
 * @param length bytes of `bytes` to write
 */
export function writeToDescriptor(socket: Socket, bytes: Buffer, length = bytes.length): number {
  const handle = socket.writableLength === 0 && !socket.connecting ? socketHandle(socket) : undefined;
  if (handle === undefined) return 0;
  try {
    return writeSync(handle.fd, bytes, 0, length, null);
  } catch {
    // The kernel has no room, or the connection is closed. In either case the write to the stream reports it.
    return 0;
  }
}
