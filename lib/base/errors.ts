/**
 * A code of an error: words in lower case with `_` between them, as in the close reasons of the nginx module. Codes of
 * errors begin with their part: `kmp_`, `rtmp_`, `config_`, `source_`, `send_` and so on.
 */
export type ErrorCode = Lowercase<string>;

/**
 * Base class of all errors that this package throws deliberately. `code` is stable, and programs may test it. The
 * message is for people: what was wrong, where, and what to do.
 */
export class KmpRtmpError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The message of any thrown value, for a log line. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
}

const FILE_PROBLEMS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'the file does not exist'],
  ['EACCES', 'permission denied'],
  ['EISDIR', 'it is a folder'],
  ['EPERM', 'permission denied'],
  ['ENOTDIR', 'a part of the path is not a folder'],
  ['ENAMETOOLONG', 'the path is too long'],
  ['ELOOP', 'the path has a symbolic link that leads back to itself'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['ENXIO', 'it is a pipe that no program reads, or a socket'],
]);

/** Why a file cannot be created or written, as a text after its name and a colon. */
export function writeErrorText(error: unknown): string {
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  return missing ? 'its folder does not exist; create it first' : fileErrorText(error);
}

/** Why a file cannot be read, as a text after its name and a colon. */
export function fileErrorText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return FILE_PROBLEMS.get(code) ?? messageOf(error);
}
