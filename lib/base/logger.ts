/** Severity, most severe first; nginx's `error_log` levels are mapped onto these. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** What a line is about, beside its text: upstream, stream, track, peer, connection ... */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where the layers write their lines to. The service puts winston behind it (lib/logging/winston-log.ts); users of the library may
 * hand in anything of this shape, or nothing.
 */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  child(fields: LogFields): Logger;
  /** Whether lines of `level` go anywhere, for lines that are dear to make; where it is missing, all do. */
  isEnabled?(level: LogLevel): boolean;
}

/** Swallows everything. */
export const noLog: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => noLog,
  isEnabled: () => false,
};
