import { KmpRtmpError } from '../base/errors.js';

export type ConfigErrorCode =
  /** The text is not valid nginx syntax: an open quote, a missing `;`, an unbalanced brace and so on. */
  | 'config_syntax'
  /** A file cannot be read, or exceeds a limit. */
  | 'config_file'
  /** There is no directive of this name. The name begins with `kmp_`, so it does not belong to another module. */
  | 'config_unknown'
  /** The directive is not allowed in this block. */
  | 'config_context'
  /** The same block already has this directive, or one that excludes it. */
  | 'config_duplicate'
  /** The number of arguments is wrong, or one of them is invalid. */
  | 'config_value'
  /** A required directive is missing. */
  | 'config_missing';

/** The place of a directive: a line of a file, or a flag or an environment variable (line 0). */
export interface Origin {
  readonly file: string;
  /** From 1; 0 if `file` is the name of a flag or of an environment variable. */
  readonly line: number;
}

/** `kmp.conf:12`, or the name of the flag or of the variable. */
export function formatOrigin({ file, line }: Origin): string {
  return line === 0 ? file : `${file}:${line}`;
}

/** The configuration is invalid. The message contains the place, what was found and what was expected. */
export class ConfigError extends KmpRtmpError {
  declare readonly code: ConfigErrorCode;

  constructor(
    code: ConfigErrorCode,
    readonly origin: Origin,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(code, `${formatOrigin(origin)}: ${reason}`, options);
  }

  /** The file, flag or variable that is wrong. */
  get file(): string {
    return this.origin.file;
  }

  /** From 1; 0 for a flag or a variable. */
  get line(): number {
    return this.origin.line;
  }
}

/** An argument of a directive is invalid. It becomes a {@link ConfigError} where the place is known. */
export class ValueError extends Error {}
