import { ConfigError, ValueError, formatOrigin, type Origin } from './errors.js';
import { closestName } from './closest-name.js';
import { directiveNames, directives } from './directives.js';
import { settingOf, syntaxOf, type Row } from './row.js';
import type { Warn } from './types.js';

/** The value of a setting, and the place where it was first written. */
export interface SettingValue {
  readonly value: unknown;
  readonly origin: Origin;
  /** The place of each occurrence, in the order of a repeated directive's values. */
  readonly origins: readonly Origin[];
}

/** A directive with its arguments, from a file, a flag or a variable. */
export interface WrittenDirective extends Origin {
  readonly name: string;
  readonly args: readonly string[];
}

/** @throws ConfigError config_value */
export function checkArguments(row: Row, written: WrittenDirective): void {
  const { name, args } = written;
  const [min, max] = row.type.args;
  if (args.length >= min && args.length <= max) return;
  const swallowed = args.findIndex((arg) => directives.has(arg));
  const before = swallowed > 0 ? args[swallowed - 1] : name;
  const after = swallowed > 0 && row.type.secret === true ? `the value of "${name}"` : `"${before}"`;
  const hint = swallowed < 0 ? '' : ` (is a ";" missing after ${after}?)`;
  const found = args.length === 0 ? 'no argument' : args.length === 1 ? '1 argument' : `${args.length} arguments`;
  throw new ConfigError('config_value', written, `"${name}" has ${found}${hint}; expected ${syntaxOf(name, row)}`);
}

/** Parses the arguments of a directive. @throws ConfigError config_value */
export function parseArguments(row: Row, written: WrittenDirective, warn: Warn): unknown {
  checkArguments(row, written);
  // The origin of a flag or a variable already contains its name.
  const about = (message: string) => (written.line === 0 ? message : `${written.name}: ${message}`);
  try {
    return row.type.parse(written.args, (warning) => warn(`${formatOrigin(written)}: ${about(warning)}`));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ConfigError('config_value', written, about(error.message), { cause: error });
  }
}

/**
 * Adds a directive to the settings of its block.
 * @throws ConfigError config_value, or config_duplicate if the directive is repeated and must not be
 */
export function addSetting(
  level: Map<string, SettingValue>,
  row: Row,
  written: WrittenDirective,
  warn: Warn,
  setting = settingOf(written.name, row),
): void {
  const earlier = level.get(setting);
  if (earlier !== undefined && row.type.join === undefined) {
    const first = `the first one is at ${formatOrigin(earlier.origin)}`;
    throw new ConfigError('config_duplicate', written, `"${written.name}" is repeated in this block; ${first}`);
  }
  const value = parseArguments(row, written, warn);
  const { origin = written, origins = [] } = earlier ?? {};
  const joined = earlier === undefined ? value : row.type.join?.(earlier.value, value);
  level.set(setting, { value: joined, origin, origins: [...origins, written] });
}

/** `; did you mean "x"?`, or an empty text. */
export function didYouMean(name: string): string {
  const near = closestName(name, directiveNames);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}
