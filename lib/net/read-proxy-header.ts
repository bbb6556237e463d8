import type { Socket } from 'node:net';
import { messageOf } from '../base/errors.js';
import { timerMs, type Clock } from '../time/clock.js';
import { setPeer } from './peer.js';
import { parseProxyHeader } from './proxy-protocol.js';

/**
 * Reads the header of the PROXY protocol, and sets the address of the client (`peerAddress`). The socket is paused
 * afterwards, with the bytes after the header put back.
 *
 * @param timeout maximum time for the whole header, in ms
 * @param done called once: with the bytes of the header, or with what is wrong. Not called if the connection ends
 *   before.
 */
export function readProxyHeader(
  socket: Socket,
  timeout: number,
  clock: Clock,
  done: (header: Buffer | undefined, problem: string) => void,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const finish = (header: Buffer | undefined, problem = ''): void => {
    timer.cancel();
    socket.off('data', onData);
    socket.off('close', onClose);
    socket.off('error', onError);
    done(header, problem);
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    try {
      const header = parseProxyHeader(bytes);
      if (header === undefined) return;
      if (header.source !== undefined) setPeer(socket, header.source);
      socket.pause();
      const rest = bytes.subarray(header.length);
      if (rest.length > 0) socket.unshift(rest);
      finish(Buffer.from(bytes.subarray(0, header.length)));
    } catch (error) {
      finish(undefined, messageOf(error));
    }
  };
  const onClose = (): void => timer.cancel();
  const onError = (): void => {
    socket.destroy();
  };
  const timer = clock.after(timerMs(timeout), () => finish(undefined, `no PROXY protocol header within ${timeout} ms`));
  socket.on('data', onData);
  socket.on('close', onClose);
  socket.on('error', onError);
}

/**
 * The same for bytes that have been read: returns what follows the header. @throws ProxyProtocolError if it is invalid
 */
export function takeProxyHeader(socket: Socket, bytes: Buffer): Buffer {
  const header = parseProxyHeader(bytes);
  if (header?.source !== undefined) setPeer(socket, header.source);
  return bytes.subarray(header?.length ?? 0);
}
