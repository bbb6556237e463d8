import { KmpRtmpError, messageOf } from '../base/errors.js';

/** Exit codes of the process. */
export const ExitCode = {
  ok: 0,
  /** The command failed: a bad file, a port in use, a damaged dump. */
  failed: 1,
} as const;

/** An error that the user can correct, in one line. The exit code is {@link ExitCode.failed}. */
export class CommandError extends KmpRtmpError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('command_failed', message, options);
  }
}

/** The text of an error for stderr. Unexpected errors are bugs and have their stack. */
export function errorText(error: unknown): string {
  const known = error instanceof KmpRtmpError || (error instanceof Error && 'syscall' in error);
  if (known || !(error instanceof Error)) return `kmp-rtmp: ${messageOf(error)}`;
  return `kmp-rtmp: unexpected error, please report it: ${error.stack ?? error.message}`;
}
