import { Socket } from 'node:net';

type Done = (error?: Error | null) => void;

interface Chunk {
  readonly chunk: Buffer;
  readonly encoding: string;
}

type Writev = (chunks: readonly Chunk[], callback: Done) => void;

/**
 * Sends `buffers` as one write; `callback` is called when the kernel has them all, or with what went wrong. The next call is
 * to wait for it.
 */
export function writeBuffers(socket: Socket, buffers: readonly Buffer[], callback: Done): void {
  const last = buffers.length - 1;
  const final = buffers[last];
  if (final === undefined) {
    callback();
    return;
  }
  const writev: unknown = Reflect.get(socket, '_writev');
  if (socket.constructor === Socket && typeof writev === 'function' && socket.writableLength === 0) {
    direct(socket, writev as Writev, buffers, callback);
    return;
  }
  socket.cork();
  for (let i = 0; i < last; i++) {
    const buffer = buffers[i];
    if (buffer !== undefined) socket.write(buffer);
  }
  socket.write(final, callback);
  socket.uncork();
}

/**
 * The stream's own step behind its queue. A batch is some twenty buffers; through `write` each of them would go through the
 * queue, only to be taken out again at once. Nothing else is written while a batch is on its way, so nothing can overtake.
 */
function direct(socket: Socket, writev: Writev, buffers: readonly Buffer[], callback: Done): void {
  if (socket.destroyed || socket.writableEnded) {
    callback(new Error('the connection is closed'));
    return;
  }
  const chunks = new Array<Chunk>(buffers.length);
  for (let i = 0; i < buffers.length; i++) chunks[i] = { chunk: buffers[i] as Buffer, encoding: 'buffer' };
  // Tells Node that there is nothing to convert.
  Reflect.set(chunks, 'allBuffers', true);
  writev.call(socket, chunks, (error) => {
    callback(error ?? (socket.destroyed ? new Error('the connection was closed') : null));
  });
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
