import type winston from 'winston';
import type { LogFields, Logger, LogLevel } from '../base/logger.js';
import { masked } from './format.js';

/**
 * Makes a winston logger of your own the log of the service, or of anything else that takes a {@link Logger}:
 *
 *     const service = new Service(config, { log: winstonLog(logger) });
 *
 * Each line has its text as `message` and what it is about (upstream, stream, track, peer, connection) as fields of the
 * entry; both are masked (SECURITY.md) before winston gets them. Levels are `error`, `warn`, `info` and `debug`; a
 * logger with syslog's levels gets `warning` in place of `warn`. The logger stays yours: it is never closed.
 */
export function winstonLog(logger: winston.Logger): Logger {
  return new WinstonAdapter(logger, {});
}

/**
 * The log itself, or the adapter if it is a winston logger: used as it is, that would get lines that are not masked.
 */
export function asLogger(log: Logger | winston.Logger): Logger {
  return 'transports' in log && 'levels' in log ? winstonLog(log) : log;
}

class WinstonAdapter implements Logger {
  private readonly warning: string;

  constructor(
    private readonly logger: winston.Logger,
    private readonly fields: LogFields,
  ) {
    this.warning = 'warn' in logger.levels ? 'warn' : 'warning';
  }

  error(message: string, fields?: LogFields): void {
    this.write('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.write('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.write('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.write('debug', message, fields);
  }

  child(fields: LogFields): Logger {
    return new WinstonAdapter(this.logger, { ...this.fields, ...fields });
  }

  isEnabled(level: LogLevel): boolean {
    return this.logger.isLevelEnabled(this.nameOf(level));
  }

  private nameOf(level: LogLevel): string {
    return level === 'warn' ? this.warning : level;
  }

  private write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    // Masking costs more than the question, and debug lines are many.
    if (!this.isEnabled(level)) return;
    const entry = masked(message, fields === undefined ? this.fields : { ...this.fields, ...fields });
    this.logger.log({ ...entry.fields, level: this.nameOf(level), message: entry.message });
  }
}
