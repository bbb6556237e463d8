import { ConfigError, ValueError, whereIs, type Origin } from './errors.js';
import { nearest } from './nearest.js';
import { directiveNames, directives } from './directives.js';
import { settingOf, syntaxOf, type Row } from './row.js';
import type { Warn } from './types.js';

/** The value of a setting, and where it was (first) written. */
export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

/** A directive's name with its arguments, wherever they come from. */
export interface Written extends Origin {
  readonly name: string;
  readonly args: readonly string[];
}

/** @throws ConfigError CONFIG_VALUE */
export function checkArguments(row: Row, written: Written): void {
  const { name, args } = written;
  const [min, max] = row.type.args;
  if (args.length >= min && args.length <= max) return;
  const swallowed = args.findIndex((arg) => directives.has(arg));
  const before = swallowed > 0 ? args[swallowed - 1] : name;
  const hint = swallowed < 0 ? '' : ` (is a ";" missing after "${before}"?)`;
  const found = args.length === 0 ? 'no argument' : args.length === 1 ? '1 argument' : `${args.length} arguments`;
  throw new ConfigError('CONFIG_VALUE', written, `"${name}" has ${found}${hint}; expected ${syntaxOf(name, row)}`);
}

/** The value of the arguments. @throws ConfigError CONFIG_VALUE */
export function valueOf(row: Row, written: Written, warn: Warn): unknown {
  checkArguments(row, written);
  // A flag or a variable says by its own name what it is about.
  const about = (message: string) => (written.line === 0 ? message : `${written.name}: ${message}`);
  try {
    return row.type.parse(written.args, (warning) => warn(`${whereIs(written)}: ${about(warning)}`));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ConfigError('CONFIG_VALUE', written, about(error.message), { cause: error });
  }
}

/**
 * Adds a directive to the settings of its level.
 * @throws ConfigError CONFIG_VALUE, or CONFIG_DUPLICATE if it may be given once only
 */
export function put(
  level: Map<string, Given>,
  row: Row,
  written: Written,
  warn: Warn,
  setting = settingOf(written.name, row),
): void {
  const earlier = level.get(setting);
  if (earlier !== undefined && row.type.join === undefined) {
    const first = `it is given first at ${whereIs(earlier.origin)}`;
    throw new ConfigError('CONFIG_DUPLICATE', written, `"${written.name}" is given twice here; ${first}`);
  }
  const value = valueOf(row, written, warn);
  if (earlier === undefined) level.set(setting, { value, origin: written });
  else level.set(setting, { value: row.type.join?.(earlier.value, value), origin: earlier.origin });
}

/** `; did you mean "x"?`, or nothing. */
export function suggestion(name: string): string {
  const near = nearest(name, directiveNames);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}
