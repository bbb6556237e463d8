import type { LogLevel } from '../base/logger.js';
import { ValueError } from './errors.js';
import { parseSyslog, type SyslogTarget } from './syslog.js';
import { hasControlCharacter, type ValueType } from './types.js';

/** A destination of log lines. */
export interface ErrorLog {
  readonly target: 'stderr' | { readonly file: string } | { readonly syslog: SyslogTarget };
  /** Lowest severity that is written. */
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
}

/** The severities of nginx and the log levels of this service that they map to. */
const LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ['debug', 'debug'],
  ['info', 'info'],
  ['notice', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
  ['crit', 'error'],
  ['alert', 'error'],
  ['emerg', 'error'],
]);

/** The destination that is used without `error_log`. */
export const defaultErrorLog: ErrorLog = { target: 'stderr', level: 'info', format: 'text' };

/** Type of the arguments of `error_log`. */
export const errorLog: ValueType<ErrorLog> = {
  syntax: 'file | stderr | syslog:server=address[,parameter ...] [level] [format=text|json]',
  expected: 'a file, stderr or syslog:server=address, a level, and format=text or format=json',
  args: [1, 3],
  parse([where = '', ...rest]) {
    if (where === '' || hasControlCharacter(where)) throw new ValueError(`"${where}" is not ${this.expected}`);
    if (where.startsWith('memory:')) throw new ValueError(`"${where}" is not supported; expected ${this.expected}`);
    const syslog = where.startsWith('syslog:') ? parseSyslog(where.slice('syslog:'.length)) : undefined;
    let level: LogLevel | undefined;
    let format: ErrorLog['format'] | undefined;
    for (const arg of rest) {
      const [, named] = /^format=(text|json)$/.exec(arg) ?? [];
      if (named !== undefined && format === undefined) format = named === 'json' ? 'json' : 'text';
      else if (LEVELS.has(arg) && level === undefined) level = LEVELS.get(arg);
      else throw new ValueError(`"${arg}" is neither a level (${[...LEVELS.keys()].join(', ')}) nor format=text|json`);
    }
    const target = syslog !== undefined ? { syslog } : where === 'stderr' ? where : { file: where };
    return { target, level: level ?? 'error', format: format ?? 'text' };
  },
};
