import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of a connection that may wait for the answer to one before them. Browsers and scrapers send none. */
const MAX_WAITING = 16;

type Pair = readonly [req: IncomingMessage, res: ServerResponse];

/**
 * `listener`, with the requests of a connection given to it one by one. A client may send many before it reads an answer
 * (pipelining), and Node hands all of them over at once: thousands in a single read, each of which would cost its work and
 * have its answer lie in memory until the first is read. A connection on which more than {@link MAX_WAITING} wait is closed.
 */
export function oneAtATime(listener: RequestListener): RequestListener {
  const busy = new WeakMap<Socket, Pair[]>();
  const serve = (socket: Socket, [req, res]: Pair, waiting: Pair[]): void => {
    res.once('close', () => {
      const next = waiting.shift();
      if (next === undefined || socket.destroyed) busy.delete(socket);
      else serve(socket, next, waiting);
    });
    listener(req, res as Parameters<RequestListener>[1]);
  };
  return (req, res) => {
    const { socket } = req;
    // Node goes on with what it has read when the connection is closed already.
    if (socket.destroyed) return;
    const waiting = busy.get(socket);
    if (waiting === undefined) {
      const own: Pair[] = [];
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
