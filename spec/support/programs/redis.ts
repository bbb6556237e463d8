import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { freePort } from '../network/free-port.js';
import { reap } from '../process/reaper.js';
import { until } from '../time/until.js';

/** Debian's redis-server or Valkey's, whichever is there. */
const PROGRAM = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0);

/** For the option `skip` of specs that need a server. */
export const noRedis: string | false =
  PROGRAM === undefined ? 'neither redis-server nor valkey-server is installed (Debian: redis-server)' : false;

/** A server on a free port of 127.0.0.1 that keeps nothing on disk. */
export interface Redis {
  readonly port: number;
  /** Its process id, for its CPU time. */
  readonly pid: number;
  /** Sends one command. @throws Error if the server says so */
  ask(...args: string[]): Promise<unknown>;
  /** It does not answer any more, but its connections stay open. */
  pause(): void;
  resume(): void;
  /** Ends it at once. All its data is lost. */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}, on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** Further arguments, such as `--replicaof`. */
  readonly args?: readonly string[];
  readonly password?: string;
  /** It is a Sentinel that watches the server on this port, under the name `spec`. */
  readonly watches?: number;
}

export async function startRedis({ args = [], password, watches }: RedisOptions = {}): Promise<Redis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'redis-spec-'));
  const file = join(folder, 'server.conf');
  const role =
    watches === undefined
      ? 'save ""\nappendonly no\nrepl-diskless-sync-delay 0\n'
      : `sentinel monitor spec 127.0.0.1 ${watches} 1\nsentinel down-after-milliseconds spec 500\nsentinel failover-timeout spec 2000\n`;
  const secret = password === undefined ? '' : `requirepass ${password}\n`;
  writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${folder}\n${role}${secret}`);
  const last = watches === undefined ? args : [...args, '--sentinel'];
  const ask = (...words: string[]): Promise<unknown> => command(port, password, words);
  const run = async (): Promise<ChildProcess> => {
    const child = reap(spawn(PROGRAM ?? 'redis-server', [file, ...last], { stdio: 'ignore' }));
    await until(
      'the Redis server',
      () => ask('PING'),
      (answer) => answer === 'PONG',
    );
    return child;
  };
  let child = await run();
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  return {
    port,
    get pid() {
      return child.pid ?? 0;
    },
    ask,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: end,
    restart: async () => {
      child = await run();
    },
    stop: async () => {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function command(port: number, password: string | undefined, words: readonly string[]): Promise<unknown> {
  const socket = { host: '127.0.0.1', port, reconnectStrategy: false } as const;
  const client = createClient({ socket, ...(password === undefined ? {} : { password }) });
  // The promises say it.
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.sendCommand([...words]);
  } finally {
    if (client.isOpen) client.destroy();
  }
}
