import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { systemClock, type Clock } from '../time/clock.js';
import { KmpRtmpError, messageOf } from '../base/errors.js';

/** A pid file that cannot be written or that leads to no process of ours. `code` begins with `PID_`. */
export class PidFileError extends KmpRtmpError {}

/**
 * Writes this process's id to `path`, in the place of a file that a process left behind which is gone.
 *
 * @returns removes the file again, if it still names this process
 * @throws PidFileError PID_RUNNING if a kmp-rtmp that runs has written it, PID_FILE if it cannot be written or is something else
 */
export function writePidFile(path: string): () => void {
  const write = (): void => writeFileSync(path, `${process.pid}\n`, { flag: 'wx', mode: 0o644 });
  try {
    try {
      write();
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      clearStale(path);
      write();
    }
  } catch (error) {
    if (error instanceof PidFileError) throw error;
    throw new PidFileError('PID_FILE', `the pid file ${path} cannot be written: ${messageOf(error)}`, { cause: error });
  }
  return () => {
    try {
      if (parsePid(readFileSync(path, 'utf8')) === process.pid) unlinkSync(path);
    } catch {
      // Gone already, or no longer to be written: there is nobody left to mind.
    }
  };
}

function clearStale(path: string): void {
  const text = readFileSync(path, 'utf8');
  const pid = parsePid(text);
  if (pid === undefined && text.trim() !== '') {
    throw new PidFileError(
      'PID_FILE',
      `${path} is there and is no pid file; nothing was overwritten (directive "pid")`,
    );
  }
  if (pid !== undefined && pid !== process.pid && runs(pid)) {
    throw new PidFileError('PID_RUNNING', `kmp-rtmp runs already, as process ${pid} (pid file ${path})`);
  }
  unlinkSync(path);
}

/** What `kmp-rtmp -s` can ask of a running process. */
export const PROCESS_COMMANDS = ['reload', 'quit', 'stop', 'reopen'] as const;
export type ProcessCommand = (typeof PROCESS_COMMANDS)[number];

/** stop sends two: the first asks for an end in order, the second for one at once, and as different signals none is merged. */
const SIGNALS: Readonly<Record<ProcessCommand, readonly NodeJS.Signals[]>> = {
  reload: ['SIGHUP'],
  quit: ['SIGTERM'],
  stop: ['SIGTERM', 'SIGINT'],
  // Not SIGUSR1, as nginx has it: with that, Node opens its debugger to whoever can reach it.
  reopen: ['SIGUSR2'],
};

/** How long a process that was told to stop may take to be gone, ms. */
const STOP_TIMEOUT = 5000;

/**
 * Does what `kmp-rtmp -s COMMAND` asks for, by the pid file of the running process. `stop` returns when that is gone, the
 * others once it is told.
 *
 * @throws PidFileError PID_FILE if there is no usable file, PID_STALE if its process is gone, PID_SIGNAL if it cannot be told,
 *   PID_STOP if it does not end
 */
export async function tellProcess(path: string, command: ProcessCommand, clock: Clock = systemClock): Promise<void> {
  const pid = readPidFile(path);
  try {
    for (const signal of SIGNALS[command]) process.kill(pid, signal);
  } catch (error) {
    // One that was about to end anyway has been stopped.
    if (codeOf(error) === 'ESRCH' && command === 'stop') return;
    const why = codeOf(error) === 'EPERM' ? 'this user may not signal it' : messageOf(error);
    throw new PidFileError('PID_SIGNAL', `process ${pid} (pid file ${path}) cannot be told to ${command}: ${why}`, {
      cause: error,
    });
  }
  if (command !== 'stop') return;
  const end = clock.now() + STOP_TIMEOUT;
  while (alive(pid)) {
    if (clock.now() >= end) {
      throw new PidFileError('PID_STOP', `process ${pid} (pid file ${path}) did not end within ${STOP_TIMEOUT} ms`);
    }
    await new Promise<void>((resolve) => clock.after(20, resolve));
  }
}

/**
 * The process that a pid file names, and that runs.
 *
 * @throws PidFileError
 */
export function readPidFile(path: string): number {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why =
      codeOf(error) === 'ENOENT' ? 'is not there: does kmp-rtmp run, with this configuration?' : messageOf(error);
    throw new PidFileError('PID_FILE', `the pid file ${path} ${why} (directive "pid")`, { cause: error });
  }
  const pid = parsePid(text);
  if (pid === undefined) throw new PidFileError('PID_FILE', `${path} is no pid file: it does not hold a process id`);
  if (!runs(pid)) {
    throw new PidFileError('PID_STALE', `no kmp-rtmp runs as process ${pid}: the pid file ${path} was left behind`);
  }
  return pid;
}

/** A process id that stands alone. Never 0 or 1 digit too many: kill(0) and kill(-1) would reach whole groups. */
function parsePid(text: string): number | undefined {
  const digits = /^\s*([1-9]\d{0,9})\s*$/.exec(text)?.[1];
  const pid = digits === undefined ? 0 : Number(digits);
  return pid > 0 && pid <= 2 ** 31 - 1 ? pid : undefined;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Whether the process is there and is one of ours: ids are given out again, soon so in containers. */
function runs(pid: number): boolean {
  if (!alive(pid)) return false;
  let command: string;
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // No such file system here: what has the id must be it.
    return true;
  }
  const own = basename(process.argv[1] ?? '');
  return command.includes('kmp-rtmp') || (own !== '' && command.includes(own));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
