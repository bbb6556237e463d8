import type { ErrorLog } from '../config/error-log.js';
import type { LogFields, Logger, LogLevel } from '../log.js';

const SEVERITY: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** Lines to stderr. */
export function createLogger([errorLog]: readonly ErrorLog[], bound: LogFields = {}): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (errorLog === undefined || SEVERITY.indexOf(level) > SEVERITY.indexOf(errorLog.level)) return;
    const time = new Date().toISOString();
    const all = { ...bound, ...fields };
    const line =
      errorLog.format === 'json'
        ? JSON.stringify({ time, level, message, ...all })
        : [time, level, message, ...Object.entries(all).map(([key, value]) => `${key}=${String(value)}`)].join(' ');
    process.stderr.write(`${line}\n`);
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    child: (fields) => createLogger(errorLog === undefined ? [] : [errorLog], { ...bound, ...fields }),
  };
}
