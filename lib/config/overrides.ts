import { directives } from './directives.js';
import { ConfigError } from './errors.js';
import { addSetting, type SettingValue, type WrittenDirective } from './setting-value.js';
import { closestName } from './closest-name.js';
import { Lexer } from './nginx/lexer.js';
import { settingOf, type Row } from './row.js';
import type { Warnings } from './warnings.js';

/** Values of flags and environment variables by setting. They override the file. */
export type Overrides = ReadonlyMap<string, SettingValue>;

/** Texts from a command line and an environment. */
export interface OverrideTexts {
  /**
   * By name without the leading dashes, in any of the spellings `kmp-rtmp-out-chunk-size`, `kmp_rtmp_out_chunk_size`
   * and `kmpRtmpOutChunkSize`. A list stands for a repeated flag.
   */
  readonly flags?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Environment variables: `KMP_RTMP_OUT_CHUNK_SIZE`. An empty variable counts as not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The flag and the variable of a directive. */
export interface OverrideName {
  /** Name of the directive. */
  readonly directive: string;
  readonly row: Row;
  /** `--kmp-rtmp-out-chunk-size` */
  readonly flag: string;
  /** `KMP_RTMP_OUT_CHUNK_SIZE`; `KMP_RTMP_` is added to the names of nginx's own directives. */
  readonly env: string;
  /** The setting of the directive; `listen` has one for each kind of server. */
  readonly setting: string;
}

/** Blocks, switches and include: they have no value that a flag could set. */
function isStructural(name: string, row: Row): boolean {
  return row.type.block === true || row.type.args[1] === 0 || name === 'include';
}

function nameOf(spelling: string, directive: string, row: Row, setting: string): OverrideName {
  const env = spelling.startsWith('kmp_rtmp_') ? spelling : `kmp_rtmp_${spelling}`;
  return { directive, row, flag: `--${spelling.replaceAll('_', '-')}`, env: env.toUpperCase(), setting };
}

/** All flags and variables that set directives. */
export const overrideNames: readonly OverrideName[] = [...directives].flatMap(([name, row]) => {
  if (isStructural(name, row)) return [];
  // The names of directives in `fleet` say nothing outside of it.
  const spelling = row.contexts.includes('fleet') ? `fleet_${name}` : name;
  if (name !== 'listen') return [nameOf(spelling, name, row, settingOf(name, row))];
  return [nameOf('listen', name, row, 'listen'), nameOf('http_listen', name, row, 'httpListen')];
});

/**
 * Parses flags and variables. A flag replaces the variable of the same setting, also where the directive may be
 * repeated.
 * @throws ConfigError with the name of the flag or of the variable
 */
export function applyOverrides({ flags = {}, env = {} }: OverrideTexts, warnings: Warnings): Overrides {
  const byFlag = readFlags(flags, warnings);
  const byEnv = readEnv(env, warnings);
  return new Map([...byEnv, ...byFlag]);
}

function readFlags(flags: NonNullable<OverrideTexts['flags']>, warnings: Warnings): Map<string, SettingValue> {
  const texts = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('_', '-')}`;
    if (!overrideNames.some((name) => name.flag === flag)) {
      const near = closestName(
        flag,
        overrideNames.map((name) => name.flag),
      );
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      throw new ConfigError('config_unknown', { file: flag, line: 0 }, `there is no such flag${hint}`);
    }
    texts.set(flag, typeof value === 'string' ? [value] : value);
  }
  return readTexts((name) => name.flag, texts, warnings);
}

function readEnv(env: NonNullable<OverrideTexts['env']>, warnings: Warnings): Map<string, SettingValue> {
  const texts = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(env)) {
    const upper = key.toUpperCase();
    if (upper !== key && value !== undefined && overrideNames.some((name) => name.env === upper)) {
      throw new ConfigError('config_unknown', { file: key, line: 0 }, `the case is wrong; write ${upper}`);
    }
    // Kubernetes sets KMP_RTMP_SERVICE_HOST, KMP_RTMP_PORT_8005_TCP and others for a service named kmp-rtmp.
    if (!key.startsWith('KMP_RTMP_') || /^KMP_RTMP_(SERVICE_|PORT)/.test(key) || value === undefined || value === '')
      continue;
    if (overrideNames.some((name) => name.env === key)) {
      texts.set(key, [value]);
      continue;
    }
    const near = closestName(
      key,
      overrideNames.map((name) => name.env),
    );
    warnings.add(`${key}: no directive has this variable${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  return readTexts((name) => name.env, texts, warnings);
}

/** Uses the order of the table, so allow rules come before deny rules. */
function readTexts(
  spelling: (name: OverrideName) => string,
  texts: ReadonlyMap<string, readonly string[]>,
  warnings: Warnings,
): Map<string, SettingValue> {
  const given = new Map<string, SettingValue>();
  for (const name of overrideNames) {
    for (const text of texts.get(spelling(name)) ?? []) {
      for (const args of split(name.row, text, spelling(name))) {
        const written: WrittenDirective = { name: name.directive, args, file: spelling(name), line: 0 };
        addSetting(given, name.row, written, warnings.add, name.setting);
      }
    }
  }
  return given;
}

/**
 * Splits a text into the arguments of a directive. If the directive has one argument, it is the whole text, including
 * spaces. Otherwise the text is split as in a file. `;` separates the occurrences of a directive that may be repeated.
 */
function split(row: Row, text: string, file: string): string[][] {
  if (row.type.args[1] === 1 && row.type.join === undefined) return [[text]];
  const lexer = new Lexer(text, file);
  const occurrences: string[][] = [[]];
  for (let token = lexer.next(); token !== undefined; token = lexer.next()) {
    if (token.kind === 'word') occurrences.at(-1)?.push(token.text);
    else if (token.kind === ';') occurrences.push([]);
    else throw new ConfigError('config_syntax', { file, line: 0 }, `"${token.kind}" is not allowed in a value`);
  }
  // A ";" at the end does not begin another occurrence.
  return occurrences.filter((args, i) => args.length > 0 || i === 0);
}
