import type { Socket } from 'node:net';

/** Sends `buffers` as one write; `callback` is called when the kernel has them all, or with what went wrong. */
export function writeBuffers(
  socket: Socket,
  buffers: readonly Buffer[],
  callback: (error?: Error | null) => void,
): void {
  const last = buffers.length - 1;
  if (last < 0) {
    callback();
    return;
  }
  socket.cork();
  for (let i = 0; i < last; i++) {
    const buffer = buffers[i];
    if (buffer !== undefined) socket.write(buffer);
  }
  const final = buffers[last];
  if (final !== undefined) socket.write(final, callback);
  socket.uncork();
}

/**
 * Bytes of the socket's writes that the kernel has not taken yet, as libuv counts them; undefined where Node does not
 * show it. Used to tell a slow server from one that has stopped reading.
 */
export function writeQueueSize(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (!isObject(handle)) return undefined;
  // With TLS, the handle below is the one that writes: the upper one's count stands until all is done.
  const below: unknown = Reflect.get(handle, '_parent');
  const size: unknown = Reflect.get(isObject(below) ? below : handle, 'writeQueueSize');
  return typeof size === 'number' ? size : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
