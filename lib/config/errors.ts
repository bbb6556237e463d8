import { KmpRtmpError } from '../base/errors.js';

export type ConfigErrorCode =
  /** The text is not nginx syntax: an open quote, a missing `;`, an unbalanced brace ... */
  | 'CONFIG_SYNTAX'
  /** A file could not be read, or is past a limit. */
  | 'CONFIG_FILE'
  /** No directive of this name; the name begins with `kmp_`, so that it cannot be another module's. */
  | 'CONFIG_UNKNOWN'
  /** The directive may not stand in this block. */
  | 'CONFIG_CONTEXT'
  /** The directive, or another that excludes it, was already given on this level. */
  | 'CONFIG_DUPLICATE'
  /** Number of arguments, or what one of them says. */
  | 'CONFIG_VALUE'
  /** Something that the rest makes necessary is not there. */
  | 'CONFIG_MISSING';

/** Where a directive was written: a line of a file, or the flag or variable that stands in for it (line 0). */
export interface Origin {
  readonly file: string;
  /** From 1; 0 if `file` names a flag or an environment variable. */
  readonly line: number;
}

/** `kmp.conf:12`, or the name of the flag or variable. */
export function whereIs({ file, line }: Origin): string {
  return line === 0 ? file : `${file}:${line}`;
}

/** The configuration cannot be used. The message says where, what was found and what was expected. */
export class ConfigError extends KmpRtmpError {
  declare readonly code: ConfigErrorCode;

  constructor(
    code: ConfigErrorCode,
    readonly origin: Origin,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(code, `${whereIs(origin)}: ${reason}`, options);
  }

  /** The file, flag or variable at fault. */
  get file(): string {
    return this.origin.file;
  }

  /** From 1; 0 if it was a flag or a variable. */
  get line(): number {
    return this.origin.line;
  }
}

/** An argument is not what its directive takes. Turned into a {@link ConfigError} where the place is known. */
export class ValueError extends Error {}
