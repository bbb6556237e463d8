import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Maximum number of waiting requests of a connection. Browsers and scrapers do not pipeline. */
const MAX_WAITING = 16;

type Exchange = readonly [req: IncomingMessage, res: ServerResponse];

/**
 * Wraps `listener` so that the requests of a connection are handled one by one. A client may send many requests before
 * it reads a response (pipelining), and Node passes all of them on at once: thousands in a single read, with all their
 * responses in memory. A connection with more than {@link MAX_WAITING} waiting requests is closed.
 */
export function serializeRequests(listener: RequestListener): RequestListener {
  const busy = new WeakMap<Socket, Exchange[]>();
  const serve = (socket: Socket, [req, res]: Exchange, waiting: Exchange[]): void => {
    res.once('close', () => {
      const next = waiting.shift();
      // A socket that is not writable was ended by an answer with "Connection: close": nothing behind it is handled
      // (RFC 9112, 9.6).
      if (next === undefined || socket.destroyed || !socket.writable) busy.delete(socket);
      else serve(socket, next, waiting);
    });
    listener(req, res as Parameters<RequestListener>[1]);
  };
  return (req, res) => {
    const { socket } = req;
    // Node continues with data that it has read, even if the connection is closed. Nothing is done for a client that
    // has left.
    if (socket.destroyed) return;
    const waiting = busy.get(socket);
    if (waiting === undefined) {
      const own: Exchange[] = [];
      busy.set(socket, own);
      serve(socket, [req, res], own);
    } else if (waiting.length < MAX_WAITING) {
      waiting.push([req, res]);
    } else {
      waiting.length = 0;
      socket.destroy();
    }
  };
}
