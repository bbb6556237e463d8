import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { end, keep } from '../children.js';

/** ms until a server that was killed has ended. */
const KILL_LIMIT = 10_000;

/**
 * Starts Debian's redis-server, or Valkey's, on a port of 127.0.0.1. It keeps nothing on disk, and ends with the bench
 * at the latest.
 *
 * @returns it once it accepts connections
 * @throws Error if neither is installed, or the server ends
 */
export async function startRedisServer(port: number): Promise<ChildProcess> {
  const program = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (program === undefined) throw new Error('redis-server is missing (Debian: apt-get install redis-server)');
  const store = ['--save', '', '--appendonly', 'no', '--dir', tmpdir()];
  const args = ['--port', String(port), '--bind', '127.0.0.1', ...store];
  const child = keep(spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-4000);
      if (said.includes('Ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${said}`)));
  });
  return child;
}

/** Kills it; its data is lost. */
export async function endRedisServer(child: ChildProcess): Promise<void> {
  await end(child, 'SIGKILL', KILL_LIMIT);
}
