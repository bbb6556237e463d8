import { createConnection, type Socket } from 'node:net';
import { messageOf } from '../../base/errors.js';
import { timerMs, type Clock, type Timer } from '../../time/clock.js';
import { deadline } from '../../time/deadline.js';

/** ms in which the other node must accept the connection. It is one of the same network. */
const CONNECT_TIMEOUT = 2_000;
/** ms that a side may stay open after the other one has ended. */
const END_TIMEOUT = 5_000;

export interface RelayOptions {
  readonly host: string;
  readonly port: number;
  /** The bytes that have been read of the connection. */
  readonly head: Buffer;
  /** ms without a byte in either direction; 0: no limit. */
  readonly idleTimeout: number;
  readonly clock: Clock;
  /** Called once, if it ends for another reason than that both sides have ended it. */
  readonly onError: (message: string) => void;
}

/**
 * Passes a KMP connection on to another node, and its acks back. Each direction holds no more than the buffers of two
 * sockets: if one side does not read, the other one is not read. Either side can end its direction alone, as a sender
 * does that waits for its last acks. An error of one side ends both.
 *
 * @param socket paused, after {@link RelayOptions.head} was read
 */
export function relayConnection(socket: Socket, options: RelayOptions): void {
  const { host, port, head, idleTimeout, clock, onError } = options;
  const there = createConnection({ host, port, noDelay: true, allowHalfOpen: true });
  let over = false;
  let timer: Timer | undefined = deadline(clock, CONNECT_TIMEOUT, () => fail(`no answer in ${CONNECT_TIMEOUT} ms`));
  const close = (): void => {
    over = true;
    timer?.cancel();
    socket.destroy();
    there.destroy();
  };
  const fail = (message: string): void => {
    if (over) return;
    close();
    onError(message);
  };
  const ended = (other: Socket): void => {
    if (over) return;
    // It was not ended before, so bytes are missing.
    if (!other.writableEnded) return fail('the connection was closed early');
    if (other.closed) return close();
    timer?.cancel();
    timer = clock.after(END_TIMEOUT, close, false);
  };
  const idle = (): void => fail(`no byte in either direction for ${idleTimeout} ms (kmp_rtmp_in_read_timeout)`);
  // It may be changed until the end has been read. Otherwise Node would end the direction of the acks, too.
  socket.allowHalfOpen = true;
  for (const [one, other] of [
    [socket, there],
    [there, socket],
  ] as const) {
    one.on('error', (error) => fail(messageOf(error)));
    one.once('close', () => ended(other));
  }
  there.once('connect', () => {
    timer?.cancel();
    for (const one of [socket, there]) one.setTimeout(timerMs(idleTimeout), idle);
    socket.setNoDelay(true);
    there.write(head);
    socket.pipe(there);
    there.pipe(socket);
  });
}
