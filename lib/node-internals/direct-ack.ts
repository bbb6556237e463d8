import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { inUse } from './internals.js';
import { descriptorOf } from './socket-handle.js';

/**
 * Writes directly to the kernel. A write to the stream would cost more than the bytes. Returns how many bytes the
 * kernel took: 0 if it has no room, if other bytes wait ahead of them, or if this internal is not in use. Not for a
 * socket that encrypts.
 *
 * @param length bytes of `bytes` to write; default: all
 */
export function writeAtOnce(socket: Socket, bytes: Buffer, length = bytes.length): number {
  return inUse('direct acks') ? writeToDescriptor(socket, bytes, length) : 0;
}

/** True if {@link writeAtOnce} may write to the socket: it does not encrypt, and the internals are in use. */
export function takesDirectWrites(socket: Socket): boolean {
  // Without 'write progress', all writes must go through the queue of the stream.
  return socket.constructor === Socket && inUse('direct acks') && inUse('write progress');
}

/**
 * Does not check whether the internal has been tested, because the test calls it.
 *
 * @param length bytes of `bytes` to write
 */
export function writeToDescriptor(socket: Socket, bytes: Buffer, length = bytes.length): number {
  const fd = socket.writableLength === 0 && !socket.connecting ? descriptorOf(socket) : -1;
  if (fd < 0) return 0;
  try {
    return writeSync(fd, bytes, 0, length, null);
  } catch {
    // The kernel has no room, or the connection is closed. In either case the write to the stream reports it.
    return 0;
  }
}
