import { KmpRtmpError, messageOf } from '../base/errors.js';

/** What the process ends with. */
export const ExitCode = {
  ok: 0,
  /** Something asked for could not be done: a bad file, a port in use, a damaged dump. */
  failed: 1,
} as const;

/** Something that is the user's to put right, in one line. The code of the process is {@link ExitCode.failed}. */
export class CommandError extends KmpRtmpError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('COMMAND_FAILED', message, options);
  }
}

/** One line for stderr; errors that no one made on purpose bring their stack, since they are for whoever mends them. */
export function errorText(error: unknown): string {
  const known = error instanceof KmpRtmpError || (error instanceof Error && 'syscall' in error);
  if (known || !(error instanceof Error)) return `kmp-rtmp: ${messageOf(error)}`;
  return `kmp-rtmp: unexpected error, please report it: ${error.stack ?? error.message}`;
}

/**
 * A reader that has gone away (`kmp-rtmp inspect FILE | head`) is no failure: the process ends, without a word. Anything
 * else that keeps stdout from being written is. What cannot be written to stderr is lost, and costs no more than that: a
 * service outlives whoever collected its log.
 */
export function handlePipeErrors(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? ExitCode.ok : ExitCode.failed);
  });
  process.stderr.on('error', () => {});
}
