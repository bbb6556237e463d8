import cluster, { type ClusterSettings, type Worker } from 'node:cluster';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { embeddedFiles } from '../base/package-files.js';

/**
 * Newer versions of Node have an option against their debugger on SIGUSR1. For others, and for the primary, see
 * lib/process/no-debugger.ts.
 */
const NO_DEBUGGER = process.allowedNodeEnvironmentFlags.has('--disable-sigusr1') ? ['--disable-sigusr1'] : [];

/**
 * What the process of a worker runs. A single executable starts itself once more, without options of Node, because it
 * does not read them: bin/executable.ts sees that it is a worker. `worker` is what `ps` then shows.
 */
export function workerProgram(): ClusterSettings {
  if (embeddedFiles() !== undefined) return { exec: 'worker', args: [], execArgv: [] };
  return {
    exec: fileURLToPath(new URL('../cli/worker-main.js', import.meta.url)),
    args: [],
    execArgv: [...process.execArgv, ...NO_DEBUGGER],
  };
}

/**
 * Starts the process of a worker. If an upgrade has replaced the file of a single executable since it started, the
 * worker runs the old one, which the kernel keeps: both sides of a worker's channel have to be of one version.
 */
export function forkWorker(): Worker {
  if (embeddedFiles() !== undefined && isReplaced(process.execPath)) process.execPath = `/proc/${process.pid}/exe`;
  return cluster.fork();
}

function isReplaced(path: string): boolean {
  const running = statSync('/proc/self/exe', { throwIfNoEntry: false });
  const onDisk = statSync(path, { throwIfNoEntry: false });
  // Without /proc, there is no other file to run.
  return running !== undefined && (running.ino !== onDisk?.ino || running.dev !== onDisk.dev);
}
