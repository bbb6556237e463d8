import { connect as tcpConnect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Clock, Timer } from '../../time/clock.js';
import { messageOf } from '../../base/errors.js';
import { PublishError } from '../publish-error.js';

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

/** ms from one attempt to the next, as long as none has failed (RFC 8305, section 5, Connection Attempt Delay). */
const ATTEMPT_DELAY = 250;

export interface ConnectOptions {
  /** ms for TCP at each address, and for TLS. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** An address takes TCP, but TLS fails there. */
  readonly onTlsFailure?: (address: string) => void;
}

/**
 * Opens a connection to one of `addresses`, as RFC 8305 (Happy Eyeballs) has it: in their order, the next one when the
 * one before has failed, or has not answered within 250 ms. The first that takes TCP wins, and the other attempts are
 * given up. If TLS then fails, the remaining addresses are tried.
 *
 * Rejects with a PublishError of stage `handshake` (docs/protocol/behaviour.md, Close reasons), or `start_connect` if
 * no address got as far as the network. The message has what was wrong with each address.
 */
export async function connectFirst(
  target: ConnectTarget,
  addresses: readonly string[],
  options: ConnectOptions,
): Promise<Socket> {
  const problems = new Map<string, unknown>();
  while (problems.size < addresses.length && !options.signal.aborted) {
    const left = addresses.filter((address) => !problems.has(address));
    const winner = await race(target, left, options, (address, error) => problems.set(address, error));
    if (winner === undefined) break;
    const { socket, address } = winner;
    if (target.tls === undefined) return socket;
    try {
      await settled(socket, 'secureConnect', options, `no TLS within ${options.timeout} ms`);
      return socket;
    } catch (error) {
      problems.set(address, new Error(`TLS: ${messageOf(error)}`, { cause: error }));
      if (!options.signal.aborted) options.onTlsFailure?.(address);
    }
  }
  throw failure(target, addresses, problems);
}

function failure(target: ConnectTarget, addresses: readonly string[], problems: ReadonlyMap<string, unknown>): Error {
  const all = addresses.flatMap((address) =>
    problems.has(address) ? [{ address, error: problems.get(address) }] : [],
  );
  const local = all.every(
    ({ error }) => error instanceof Error && 'code' in error && LOCAL_ERRORS.has(String(error.code)),
  );
  const text = all.map(({ address, error }) => `${address} port ${target.port}: ${messageOf(error)}`).join('; ');
  return new PublishError(local ? 'start_connect' : 'handshake', `could not connect: ${text}`, {
    cause: all.at(-1)?.error,
  });
}

interface Winner {
  readonly address: string;
  readonly socket: Socket;
}

/** The first of `addresses` that takes TCP; undefined if none does. */
function race(
  target: ConnectTarget,
  addresses: readonly string[],
  options: ConnectOptions,
  onProblem: (address: string, error: unknown) => void,
): Promise<Winner | undefined> {
  return new Promise((resolve) => {
    const { clock, timeout, signal } = options;
    const losers = new AbortController();
    const waiting = [...addresses];
    let open = 0;
    let timer: Timer | undefined;
    const finish = (winner: Winner | undefined): void => {
      timer?.cancel();
      signal.removeEventListener('abort', onAbort);
      waiting.length = 0;
      resolve(winner);
      losers.abort();
    };
    const onAbort = (): void => finish(undefined);
    const next = (): void => {
      timer?.cancel();
      const address = waiting.shift();
      if (address === undefined) return;
      open++;
      const socket = connectTo(target, address);
      settled(socket, 'connect', { clock, timeout, signal: losers.signal }, `no connection within ${timeout} ms`).then(
        () => finish({ address, socket }),
        (error: unknown) => {
          open--;
          if (losers.signal.aborted) return;
          onProblem(address, error);
          if (waiting.length > 0) next();
          else if (open === 0) finish(undefined);
        },
      );
      if (waiting.length > 0) timer = clock.after(ATTEMPT_DELAY, next);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    next();
  });
}

function connectTo({ tls, host, port }: ConnectTarget, address: string): Socket {
  if (tls === undefined) {
    return tcpConnect({ host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_DELAY });
  }
  const name = tls.name ?? host;
  const socket = tlsConnect({
    host: address,
    port,
    // An address is no name to ask for; it is verified all the same.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    rejectUnauthorized: tls.verify,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_DELAY);
  return socket;
}

/** Resolves at `event`. Rejects, with the socket destroyed, if it fails, closes, or takes longer than the timeout. */
function settled(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  { clock, timeout, signal }: Pick<ConnectOptions, 'clock' | 'timeout' | 'signal'>,
  late: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeout, () => fail(new Error(late)));
    const settle = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off(event, onUp);
      socket.off('error', fail);
      socket.off('close', onClose);
    };
    const onUp = (): void => {
      settle();
      resolve();
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
    socket.once(event, onUp);
    socket.once('error', fail);
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
