/** Severity, the highest first. The levels of `error_log` are mapped to these. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** Fields of a log line in addition to its text: upstream, stream, track, peer, connection and so on. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * The logger that all layers use. The service implements it with winston (lib/logging/winston-log.ts). Users of the
 * library may pass any object of this shape, or none.
 */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** Returns a logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
  /**
   * Returns whether lines of `level` are written, for lines that are expensive to create. If absent, all are written.
   */
  isEnabled?(level: LogLevel): boolean;
}

/** A logger that discards everything. */
export const noLog: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => noLog,
  isEnabled: () => false,
};
