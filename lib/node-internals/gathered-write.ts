import { Socket } from 'node:net';
import { writeToDescriptor } from './direct-ack.js';
import { inUse } from './internals.js';

/**
 * Bytes that one write takes at most. The memory is shared by all sockets and stays in the processor's cache: the
 * kernel copies from there faster than from thirty pieces of cold memory.
 */
const MOST = 512 * 1024;

let shared: Buffer | undefined;

/**
 * Copies `buffers` together and offers them to the kernel at once. Returns the rest that the kernel has not taken, for
 * an ordinary write: all of them if this internal is not in use, if the socket encrypts, or if bytes wait ahead of
 * them. The write before must be done. Nothing refers to `buffers`, or to the copy, after the call.
 */
export function writeGathered(socket: Socket, buffers: readonly Buffer[]): readonly Buffer[] {
  // A TLS socket has to encrypt the bytes first.
  if (!inUse('direct acks') || socket.constructor !== Socket) return buffers;
  shared ??= Buffer.allocUnsafeSlow(MOST);
  let length = 0;
  for (let i = 0; i < buffers.length; i++) {
    const buffer = buffers[i];
    if (buffer === undefined) continue;
    const copied = buffer.copy(shared, length);
    length += copied;
    if (copied < buffer.length) break;
  }
  return restOf(buffers, writeToDescriptor(socket, shared, length));
}

/** What follows the first `n` bytes of `buffers`. */
export function restOf(buffers: readonly Buffer[], n: number): readonly Buffer[] {
  if (n === 0) return buffers;
  let left = n;
  for (let i = 0; i < buffers.length; i++) {
    const buffer = buffers[i];
    if (buffer === undefined) continue;
    if (left < buffer.length) return left === 0 ? buffers.slice(i) : [buffer.subarray(left), ...buffers.slice(i + 1)];
    left -= buffer.length;
  }
  return [];
}
