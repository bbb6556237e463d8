import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { basename } from 'node:path';
import { systemClock, type Clock } from '../time/clock.js';
import { openRegularFile } from '../base/regular-file.js';
import { fileErrorText, KmpRtmpError, messageOf, writeErrorText } from '../base/errors.js';

/** The pid file cannot be written, or does not belong to a running kmp-rtmp. `code` begins with `pid_`. */
export class PidFileError extends KmpRtmpError {}

/**
 * Writes the id of this process to `path`. A stale file of a process that has ended is replaced. The file stays open:
 * this proves to other processes that it belongs to this one.
 *
 * @returns a function that closes the file, and removes it if it still contains the id of this process
 * @throws PidFileError pid_running if it belongs to a running kmp-rtmp, pid_file if it cannot be written or is not a
 *   pid file
 */
export function writePidFile(path: string): () => void {
  let file: number;
  try {
    try {
      file = create(path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      removeStale(path);
      file = create(path);
    }
  } catch (error) {
    if (error instanceof PidFileError) throw error;
    throw new PidFileError(
      'pid_file',
      `the pid file ${path} cannot be written: ${writeErrorText(error)} (directive "pid")`,
      {
        cause: error,
      },
    );
  }
  return () => {
    try {
      closeSync(file);
      if (parsePid(readText(path)) === process.pid) unlinkSync(path);
    } catch {
      // The file is gone or cannot be removed; the process ends anyway.
    }
  };
}

/** @returns the open file */
function create(path: string): number {
  const file = openSync(path, 'wx', 0o644);
  try {
    writeSync(file, `${process.pid}\n`);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function removeStale(path: string): void {
  const text = readText(path);
  const pid = parsePid(text);
  if (pid === undefined && text.trim() !== '') {
    throw new PidFileError(
      'pid_file',
      `${path} exists and is not a pid file; it was not overwritten (directive "pid")`,
    );
  }
  if (pid !== undefined && pid !== process.pid && isOurProcess(pid, path)) {
    throw new PidFileError('pid_running', `kmp-rtmp is already running as process ${pid} (pid file ${path})`);
  }
  unlinkSync(path);
}

/** Commands of `kmp-rtmp -s` for a running process. */
export const PROCESS_COMMANDS = ['reload', 'quit', 'stop', 'reopen', 'drain'] as const;
export type ProcessCommand = (typeof PROCESS_COMMANDS)[number];

/**
 * stop sends two signals: the first starts a graceful shutdown, the second ends it at once. They differ, so they are
 * not merged.
 */
const SIGNALS: Readonly<Record<ProcessCommand, readonly NodeJS.Signals[]>> = {
  reload: ['SIGHUP'],
  quit: ['SIGTERM'],
  stop: ['SIGTERM', 'SIGINT'],
  // Not SIGUSR1 as in nginx: versions before this one open the debugger of Node on it.
  reopen: ['SIGUSR2'],
  // A process without a handler ignores it, such as an older version. Terminals do not send it, unlike SIGWINCH.
  drain: ['SIGURG'],
};

/** Maximum time for a process to end after stop, in ms. */
const STOP_TIMEOUT = 5000;

/**
 * Sends the signals of `kmp-rtmp -s COMMAND` to the process of a pid file. `stop` resolves when the process has ended,
 * the other commands as soon as the signal is sent.
 *
 * @throws PidFileError pid_file if there is no valid file, pid_stale if its process has ended, pid_signal if it cannot
 *   be signalled, pid_stop if it does not end
 */
export async function signalProcess(path: string, command: ProcessCommand, clock: Clock = systemClock): Promise<void> {
  const pid = readPidFile(path);
  try {
    for (const signal of SIGNALS[command]) process.kill(pid, signal);
  } catch (error) {
    // The process has just ended, so it is stopped.
    if (codeOf(error) === 'ESRCH' && command === 'stop') return;
    const why = codeOf(error) === 'EPERM' ? 'permission denied' : messageOf(error);
    throw new PidFileError(
      'pid_signal',
      `process ${pid} (pid file ${path}) cannot be signalled to ${command}: ${why}`,
      {
        cause: error,
      },
    );
  }
  if (command !== 'stop') return;
  const end = clock.now() + STOP_TIMEOUT;
  while (isAlive(pid)) {
    if (clock.now() >= end) {
      throw new PidFileError('pid_stop', `process ${pid} (pid file ${path}) did not end within ${STOP_TIMEOUT} ms`);
    }
    await new Promise<void>((resolve) => clock.after(20, resolve));
  }
}

/**
 * Returns the id of the running process of a pid file.
 *
 * @throws PidFileError
 */
export function readPidFile(path: string): number {
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    const why =
      codeOf(error) === 'ENOENT'
        ? 'does not exist: is kmp-rtmp running with this configuration?'
        : `cannot be read: ${fileErrorText(error)}`;
    throw new PidFileError('pid_file', `the pid file ${path} ${why} (directive "pid")`, { cause: error });
  }
  const pid = parsePid(text);
  if (pid === undefined)
    throw new PidFileError('pid_file', `${path} is not a pid file: it does not contain a process id`);
  if (!isOurProcess(pid, path)) {
    throw new PidFileError('pid_stale', `no kmp-rtmp is running as process ${pid}: the pid file ${path} is stale`);
  }
  return pid;
}

/** Longest text that is read of a pid file, bytes. An id with white space is far shorter. */
const MAX_TEXT = 64;

/**
 * The text of a pid file, at most {@link MAX_TEXT} bytes of it. The folder may be one that others can write to: a pipe
 * would block this process for ever, and a device or a huge file would fill its memory.
 *
 * @throws the errors of openRegularFile
 */
function readText(path: string): string {
  const file = openRegularFile(path);
  try {
    const bytes = Buffer.alloc(MAX_TEXT);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, MAX_TEXT, 0));
  } finally {
    closeSync(file);
  }
}

/** Parses a process id. 0 and negative ids are rejected, because kill() would signal whole groups of processes. */
function parsePid(text: string): number | undefined {
  const digits = /^\s*([1-9]\d{0,9})\s*$/.exec(text)?.[1];
  const pid = digits === undefined ? 0 : Number(digits);
  return pid > 0 && pid <= 2 ** 31 - 1 ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Tolerance, in ms, for a process that seems to have begun after its pid file was written. */
const CLOCK_TOLERANCE = 2000;

/**
 * Returns whether the process of a pid file is a running kmp-rtmp. Process ids are reused, in containers very soon: a
 * process that began after the file was written did not write it, whatever its name is. The time of the file means
 * nothing if the clock of the machine was set since (by NTP after the start, for example). A process that has the file
 * open wrote it, whatever the times are.
 */
function isOurProcess(pid: number, path: string): boolean {
  if (!isAlive(pid)) return false;
  let command: string;
  let began: number;
  let file: Stats;
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    file = statSync(path);
    // When this process began, a constant, is the only use of the machine's own time here.
    // eslint-disable-next-line no-restricted-globals
    began = performance.timeOrigin + (startTicks(pid) - startTicks(process.pid)) * TICK;
  } catch {
    // Without /proc, the process with this id is assumed to be kmp-rtmp.
    return true;
  }
  const { mtimeMs: written } = file;
  const inDoubt = began > written + CLOCK_TOLERANCE || written > systemClock.wall() + CLOCK_TOLERANCE;
  if (inDoubt) return hasOpen(pid, file);
  const own = basename(process.argv[1] ?? '');
  return command.includes('kmp-rtmp') || (own !== '' && command.includes(own));
}

/** Returns whether a process has this file open; false if it belongs to another user, and this one may not see it. */
function hasOpen(pid: number, { dev, ino }: Stats): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((name) => {
      try {
        const one = statSync(`${folder}/${name}`);
        return one.dev === dev && one.ino === ino;
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Duration of a tick of the kernel in /proc, in ms (USER_HZ, 100 a second on all platforms of Node). */
const TICK = 10;

/** When a process began, in ticks since the start of the machine: field 22 of /proc/PID/stat (proc(5)). */
function startTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name, in parentheses; it may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[22 - 3]);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
