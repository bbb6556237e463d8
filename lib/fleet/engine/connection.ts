import { isIP } from 'node:net';
import type { RedisClientOptions } from '@redis/client';
import { messageOf } from '../../base/errors.js';
import type { NodeAddress } from '../../config/fleet/arguments.js';
import type { EngineConfig } from '../../config/fleet/fleet.js';
import type { Clock } from '../../time/clock.js';
import { deadline } from '../../time/deadline.js';
import { EngineUnavailable } from './engine.js';

/** Longest wait for a connection and its greeting, ms. Connections are opened in the background. */
const CONNECT_TIMEOUT = 3000;

/** What a connection needs to know. */
export interface ConnectionOptions {
  readonly engine: EngineConfig;
  readonly clock: Clock;
  readonly channels: readonly string[];
  /** A message of one of the channels. */
  readonly onMessage: (text: string, channel: string) => void;
  /** The connection has ended by itself; not called after {@link Connection.close}. */
  readonly onEnd: (why: string) => void;
}

/** A connection to the engine: it answers commands, and receives messages. It is not opened again once it ends. */
export interface Connection {
  /** `host:port` of the server that answers, for the log. */
  readonly at: string;
  /** @throws Error of the server or of the connection */
  call(args: readonly string[]): Promise<unknown>;
  close(): void;
}

type Client = Awaited<ReturnType<typeof connect>>;

/**
 * Connects to the engine; with Sentinels, to the master that one of them names.
 *
 * @throws EngineUnavailable that names the address
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { engine, clock, channels, onMessage, onEnd } = options;
  const { user: username, password, database, sentinel } = engine;
  const address = sentinel === undefined ? engine.addresses[0] : await masterOf(engine, sentinel, clock);
  if (address === undefined) throw new EngineUnavailable('the engine has no address');
  const at = nameOf(address);
  let closed = false;
  let why = 'the connection was closed';
  const client = await connect(address, engine, { username, password, database }, clock);
  const close = (): void => {
    closed = true;
    destroy(client);
  };
  const ended = (problem: string): void => {
    if (closed) return;
    why = problem;
    close();
    onEnd(`${at}: ${why}`);
  };
  // A connection that breaks is an error, and not an end.
  client.on('error', (error: unknown) => ended(messageOf(error)));
  client.on('end', () => ended(why));
  try {
    await timed(
      clock,
      client.subscribe([...channels], (text, channel) => onMessage(text, channel)),
      at,
    );
    if (closed) throw new EngineUnavailable(`${at}: ${why}`);
  } catch (error) {
    close();
    throw unavailable(at, error);
  }
  return { at, call: (args) => client.sendCommand([...args]), close };
}

/** Asks the Sentinels one after the other. @throws EngineUnavailable with the problems of all */
async function masterOf(
  engine: EngineConfig,
  sentinel: NonNullable<EngineConfig['sentinel']>,
  clock: Clock,
): Promise<NodeAddress> {
  const problems: string[] = [];
  for (const address of engine.addresses) {
    const at = `Sentinel ${nameOf(address)}`;
    try {
      const client = await connect(address, engine, { password: sentinel.password }, clock);
      try {
        const question = client.sendCommand(['SENTINEL', 'get-master-addr-by-name', sentinel.master]);
        const master = addressIn(await timed(clock, question, at));
        if (master !== undefined) return master;
        problems.push(`${at} does not know the master "${sentinel.master}"`);
      } finally {
        destroy(client);
      }
    } catch (error) {
      problems.push(unavailable(at, error).message);
    }
  }
  throw new EngineUnavailable(problems.join('; '));
}

function addressIn(answer: unknown): NodeAddress | undefined {
  if (!Array.isArray(answer)) return undefined;
  const [host, port] = answer as readonly unknown[];
  const number = Number(port);
  return typeof host === 'string' && Number.isInteger(number) && number > 0 && number < 65_536
    ? { host, port: number }
    : undefined;
}

interface Login {
  readonly username?: string | undefined;
  readonly password: string | undefined;
  readonly database?: number;
}

/** Opens one connection. The client does not reconnect by itself: where to connect to is asked for each time. */
async function connect(
  { host, port }: NodeAddress,
  { tls, ca }: EngineConfig,
  { username, password, database = 0 }: Login,
  clock: Clock,
) {
  // Only a process that is a node of a fleet loads the client.
  const { createClient } = await import('@redis/client');
  const socket = { host, port, reconnectStrategy: false, connectTimeout: CONNECT_TIMEOUT } as const;
  // TLS does not allow an IP address as the name of a server. The certificate has to contain it in any case.
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const secure = { ...socket, tls: true, ...servername, ...(ca === undefined ? {} : { ca }) } as const;
  const options = {
    socket: tls ? secure : socket,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(database === 0 ? {} : { database }),
    // With version 3 of the protocol, one connection answers commands and receives messages, in their order.
    RESP: 3,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  } satisfies RedisClientOptions;
  const client = createClient(options);
  // Without a listener, an error would end the process.
  client.on('error', () => {});
  try {
    await timed(clock, client.connect(), nameOf({ host, port }));
    return client;
  } catch (error) {
    destroy(client);
    throw unavailable(nameOf({ host, port }), error);
  }
}

/** The client throws if it is closed already. */
function destroy(client: Pick<Client, 'destroy'>): void {
  try {
    client.destroy();
  } catch {
    // It is closed.
  }
}

/** @throws EngineUnavailable after {@link CONNECT_TIMEOUT} */
function timed<T>(clock: Clock, promise: Promise<T>, at: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new EngineUnavailable(`${at} does not answer in ${CONNECT_TIMEOUT} ms`));
    const timer = deadline(clock, CONNECT_TIMEOUT, late, true);
    void promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

function unavailable(at: string, error: unknown): EngineUnavailable {
  if (error instanceof EngineUnavailable) return error;
  return new EngineUnavailable(`${at}: ${messageOf(error)}`, { cause: error });
}

function nameOf({ host, port }: NodeAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
