import { Socket } from 'node:net';
import { writeGathered } from './gathered-write.js';
import { inUse } from './internals.js';
import { queuedBytes } from './socket-handle.js';

type Done = (error?: Error | null) => void;

interface Chunk {
  readonly chunk: Buffer;
  readonly encoding: string;
}

type Writev = (chunks: readonly Chunk[], callback: Done) => void;

/** Bytes of one piece, for when only completed pieces show progress. */
const PIECE = 64 * 1024;

/**
 * Sends `buffers` in order. Calls `callback` when the kernel has taken them all, or with the error. The next call
 * must wait for `callback`.
 *
 * @param onProgress called when a part of them is written, if {@link writeQueueSize} does not show that
 */
export function writeBuffers(
  socket: Socket,
  buffers: readonly Buffer[],
  callback: Done,
  onProgress: () => void = () => {},
): void {
  if (buffers.length === 0) {
    callback();
    return;
  }
  // Without the internal, only the queue of the stream shows progress, so all writes must go through it.
  if (!inUse('write progress')) {
    writeInPieces(socket, piecesOf(buffers), callback, onProgress);
    return;
  }
  const rest = writeGathered(socket, buffers);
  if (rest.length === 0) {
    callback();
    return;
  }
  const writev = inUse('direct writes') ? directWriter(socket) : undefined;
  if (writev !== undefined && socket.writableLength === 0) writeDirectly(socket, writev, rest, callback);
  else writeTogether(socket, rest, callback);
}

/** The documented way to make one write of several buffers. */
function writeTogether(socket: Socket, buffers: readonly Buffer[], callback: Done): void {
  socket.cork();
  buffers.forEach((buffer, i) => {
    if (i < buffers.length - 1) socket.write(buffer);
    else socket.write(buffer, callback);
  });
  socket.uncork();
}

/** The socket's `_writev`, if it has one. undefined for a TLS socket, whose bytes must be encrypted first. */
export function directWriter(socket: Socket): Writev | undefined {
  const writev: unknown = Reflect.get(socket, '_writev');
  return socket.constructor === Socket && typeof writev === 'function' ? (writev as Writev) : undefined;
}

/**
 * Calls the method that the stream itself calls after its queue. A batch is about twenty buffers. Through `write`, each
 * of them would enter the queue and be taken out again at once. No other write happens before `callback`, so none can
 * overtake.
 */
export function writeDirectly(socket: Socket, writev: Writev, buffers: readonly Buffer[], callback: Done): void {
  if (socket.destroyed || socket.writableEnded) {
    callback(new Error('the connection is closed'));
    return;
  }
  const chunks = new Array<Chunk>(buffers.length);
  for (let i = 0; i < buffers.length; i++) chunks[i] = { chunk: buffers[i] as Buffer, encoding: 'buffer' };
  // Tells the socket that all chunks are buffers and no string must be converted.
  Reflect.set(chunks, 'allBuffers', true);
  writev.call(socket, chunks, (error) => {
    callback(error ?? (socket.destroyed ? new Error('the connection was closed') : null));
  });
}

/** The same bytes, cut into lists of up to {@link PIECE} bytes. */
function* piecesOf(buffers: readonly Buffer[]): Generator<Buffer[]> {
  let piece: Buffer[] = [];
  let room = PIECE;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length;) {
      const part = buffer.subarray(at, at + room);
      piece.push(part);
      at += part.length;
      room -= part.length;
      if (room > 0) continue;
      yield piece;
      piece = [];
      room = PIECE;
    }
  }
  if (piece.length > 0) yield piece;
}

/** Sends one piece after the other. Each completed piece is progress. */
function writeInPieces(socket: Socket, pieces: Iterator<Buffer[]>, callback: Done, onProgress: () => void): void {
  const next = (): void => {
    const { value, done } = pieces.next();
    if (done === true) return callback();
    writeTogether(socket, value, (error) => {
      if (error) return callback(error);
      onProgress();
      next();
    });
  };
  next();
}

/**
 * Bytes of the socket's writes that the kernel has not taken yet. If Node does not show that: the bytes in the queue of
 * the stream, which decrease only when a whole write is completed.
 */
export function writeQueueSize(socket: Socket): number {
  const size = inUse('write progress') ? queuedBytes(socket) : undefined;
  return size ?? socket.writableLength;
}

/**
 * Whether the kernel has taken bytes while {@link writeQueueSize} changed from `before` to `now`. This distinguishes a
 * slow server from one that has stopped reading.
 */
export function hasProgress(before: number, now: number): boolean {
  // An empty stream queue means that the last write is completed, even if its callback was not called yet.
  return now < before || (now === 0 && !inUse('write progress'));
}
