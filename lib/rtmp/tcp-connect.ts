import { connect as tcpConnect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Clock } from '../time/clock.js';
import { messageOf } from '../base/errors.js';
import { PublishError } from './publish-error.js';

export interface TlsSettings {
  /** Refuse a server whose certificate is not valid for the name. */
  readonly verify: boolean;
  /** PEM certificates to trust instead of those of the system. */
  readonly ca: Buffer | undefined;
  /** The name that is sent (SNI) and verified; default: the host of the URL. */
  readonly name: string | undefined;
}

export interface ConnectTarget {
  readonly host: string;
  readonly port: number;
  /** undefined: plain TCP. */
  readonly tls: TlsSettings | undefined;
}

/** Errors of the socket call itself, before anything was sent: a fault of this side, not of the server. */
const LOCAL_ERRORS = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EINVAL',
  'ENETUNREACH',
  'EACCES',
  'EPERM',
]);

/** Idle time before TCP probes whether the server still exists, ms. */
const KEEPALIVE_DELAY = 15_000;

/**
 * Opens a connection to the first of `addresses` that answers, with `timeout` ms for each. Resolves when TCP (and
 * TLS) is established. Rejects with a PublishError of stage `handshake` (docs/protocol/behaviour.md, Close reasons),
 * or `start_connect` if no attempt reached the network.
 */
export async function connectFirst(
  target: ConnectTarget,
  addresses: readonly string[],
  timeout: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Socket> {
  const problems: string[] = [];
  let local = true;
  let last: unknown;
  for (const address of addresses) {
    if (signal.aborted) break;
    try {
      return await connectOne(target, address, timeout, clock, signal);
    } catch (error) {
      last = error;
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!LOCAL_ERRORS.has(code)) local = false;
      problems.push(`${address} port ${target.port}: ${messageOf(error)}`);
    }
  }
  throw new PublishError(local ? 'start_connect' : 'handshake', `could not connect: ${problems.join('; ')}`, {
    cause: last,
  });
}

function connectOne(
  target: ConnectTarget,
  address: string,
  timeout: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { tls, host, port } = target;
    const name = tls?.name ?? host;
    const socket =
      tls === undefined
        ? tcpConnect({ host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_DELAY })
        : tlsConnect({
            host: address,
            port,
            // SNI needs a name; an address is verified all the same.
            ...(isIP(name) === 0 ? { servername: name } : {}),
            rejectUnauthorized: tls.verify,
            ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          });
    if (tls !== undefined) {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE_DELAY);
    }
    const timer = clock.after(timeout, () => fail(new Error(`no connection within ${timeout} ms`)));
    const up = tls === undefined ? 'connect' : 'secureConnect';
    const settle = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off(up, onUp);
      socket.off('error', fail);
      socket.off('close', onClose);
    };
    const onUp = (): void => {
      settle();
      resolve(socket);
    };
    const fail = (error: Error): void => {
      settle();
      // A late error of an abandoned socket must not be unhandled.
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const onClose = (): void => fail(new Error('the connection was closed'));
    const onAbort = (): void => fail(new Error('canceled'));
    socket.once(up, onUp);
    socket.once('error', fail);
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
