import type { LogLevel } from '../base/logger.js';
import { ValueError } from './errors.js';
import { hasControl, type ValueType } from './types.js';

/** Where log lines go. */
export interface ErrorLog {
  readonly target: 'stderr' | { readonly file: string };
  /** Least severity that is written. */
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
}

/** nginx's severities, and what they are here. */
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

/** What holds where no `error_log` is given. */
export const standardErrorLog: ErrorLog = { target: 'stderr', level: 'info', format: 'text' };

/** The arguments of `error_log`. */
export const errorLog: ValueType<ErrorLog> = {
  syntax: 'file | stderr [level] [format=text|json]',
  expected: 'a file or stderr, a level, and format=text or format=json',
  args: [1, 3],
  parse([where = '', ...rest]) {
    if (where === '' || hasControl(where)) throw new ValueError(`"${where}" is not ${this.expected}`);
    if (/^(syslog|memory):/.test(where)) throw new ValueError(`"${where}" is not supported; expected a file or stderr`);
    let level: LogLevel | undefined;
    let format: ErrorLog['format'] | undefined;
    for (const arg of rest) {
      const [, named] = /^format=(text|json)$/.exec(arg) ?? [];
      if (named !== undefined && format === undefined) format = named === 'json' ? 'json' : 'text';
      else if (LEVELS.has(arg) && level === undefined) level = LEVELS.get(arg);
      else throw new ValueError(`"${arg}" is not a level (${[...LEVELS.keys()].join(', ')}), nor format=text|json`);
    }
    const target = where === 'stderr' ? where : { file: where };
    return { target, level: level ?? 'error', format: format ?? 'text' };
  },
};
