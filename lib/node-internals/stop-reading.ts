import type { Socket } from 'node:net';
import { inUse } from './internals.js';
import { stoppableHandle } from './socket-handle.js';

/**
 * Pauses a socket at once: bytes that arrive from now on stay in the kernel, for another process to read. `pause` alone
 * is not enough: Node reads until the stream's buffer is full, and those bytes are lost when the socket moves.
 */
export function stopReading(socket: Socket): void {
  socket.pause();
  if (inUse('handover')) stopHandle(socket);
}

/**
 * Pauses a socket that another process will get, possibly later. A Readable asks for more data by itself, in the turn
 * of the event loop after a read, so its `_read` is replaced.
 */
export function stopReadingForGood(socket: Socket): void {
  socket.pause();
  if (inUse('handover')) stopHandleForGood(socket);
}

/** Does not check whether the internal has been tested, because the test calls it. */
export function stopHandleForGood(socket: Socket): void {
  stopHandle(socket);
  Reflect.set(socket, '_read', () => {});
}

function stopHandle(socket: Socket): void {
  const handle = stoppableHandle(socket);
  if (handle === undefined) return;
  handle.readStop();
  // Node checks this field to decide whether a read must call readStart.
  handle.reading = false;
}
