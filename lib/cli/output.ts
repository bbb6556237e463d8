import { fstatSync, writeSync } from 'node:fs';
import { messageOf } from '../base/errors.js';
import { ExitCode } from './exit.js';

/** File descriptor of stdout. */
const STDOUT = 1;

let isFile: boolean | undefined;

/**
 * Prints on stdout. Returns false if its reader is slow: wait for `drain` then. A file gets the whole text, or the
 * process ends with an error: Node says nothing if a full disk takes only a part.
 */
export function print(text: string): boolean {
  isFile ??= stdoutIsFile();
  if (!isFile) return process.stdout.write(text);
  const bytes = Buffer.from(text);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(STDOUT, bytes, done);
  } catch (error) {
    outputFailed(error);
  }
  return true;
}

function stdoutIsFile(): boolean {
  try {
    // As bigint: after numbers of a pipe, Node 20 leaves symbolic links on the paths of modules unresolved.
    return fstatSync(STDOUT, { bigint: true }).isFile();
  } catch {
    return false;
  }
}

function outputFailed(error: unknown): never {
  process.stderr.write(`kmp-rtmp: the output cannot be written: ${messageOf(error)}\n`);
  process.exit(ExitCode.failed);
}

/**
 * Handles errors of stdout and stderr. If the reader of stdout has closed the pipe (`kmp-rtmp inspect FILE | head`),
 * the process ends without an error; any other error of stdout is a failure. Errors of stderr are ignored: the service
 * goes on without the reader of its log.
 */
export function handlePipeErrors(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ExitCode.ok);
    outputFailed(error);
  });
  process.stderr.on('error', () => {});
}

/** From now on, the process goes on without the reader of stdout: its task is not to print. */
export function ignoreOutputErrors(): void {
  process.stdout.removeAllListeners('error').on('error', () => {});
}
