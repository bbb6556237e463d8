import type { Socket } from 'node:net';
import { inUse } from './internals.js';
import { stoppableHandle } from './socket-handle.js';

/**
 * Pauses a socket at once: bytes that arrive from now on stay in the kernel, for another process to read. `pause` alone lets
 * Node read on until the stream's buffer is full, and what it has read is lost when the socket moves.
 */
export function stopReading(socket: Socket): void {
  socket.pause();
  if (inUse('handover')) stopHandle(socket);
}

/**
 * The same for a socket that another process gets, perhaps after a while. A Readable asks for more by itself, in the turn of the
 * event loop after a read, so its `_read` is replaced.
 */
export function stopReadingForGood(socket: Socket): void {
  socket.pause();
  if (inUse('handover')) stopHandleForGood(socket);
}

/** Without asking whether the internal has been tested: the test calls it. */
export function stopHandleForGood(socket: Socket): void {
  stopHandle(socket);
  Reflect.set(socket, '_read', () => {});
}

function stopHandle(socket: Socket): void {
  const handle = stoppableHandle(socket);
  if (handle === undefined) return;
  handle.readStop();
  // Node looks at this field to know whether it has to call readStart when somebody wants to read.
  handle.reading = false;
}
