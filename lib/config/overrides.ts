import { directives } from './directives.js';
import { ConfigError } from './errors.js';
import { put, type Given, type Written } from './given.js';
import { nearest } from './nearest.js';
import { Lexer } from './nginx/lexer.js';
import { settingOf, type Row } from './row.js';
import type { Warnings } from './warnings.js';

/** What flags and environment variables say, by setting; it goes before whatever a file says. */
export type Overrides = ReadonlyMap<string, Given>;

/** Values as they come from a command line or an environment. */
export interface OverrideTexts {
  /**
   * By flag without its dashes, in any of the spellings `kmp-rtmp-out-chunk-size`, `kmp_rtmp_out_chunk_size`, `kmpRtmpOutChunkSize`. A
   * list is a flag that was repeated.
   */
  readonly flags?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Environment variables: `KMP_RTMP_OUT_CHUNK_SIZE`. An empty one is one that is not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** How a directive is given from outside the file. */
export interface OverrideName {
  /** The directive. */
  readonly directive: string;
  readonly row: Row;
  /** `--kmp-rtmp-out-chunk-size` */
  readonly flag: string;
  /** `KMP_RTMP_OUT_CHUNK_SIZE`; nginx's own directives have a `KMP_RTMP_` before them. */
  readonly env: string;
  /** Where the value goes: the directive's setting; `listen` has one for each kind of server. */
  readonly setting: string;
}

/** Directives that say where something is, and take no value that could be another. */
function isPlace(name: string, row: Row): boolean {
  return row.type.block === true || row.type.args[1] === 0 || name === 'include';
}

function nameOf(spelling: string, directive: string, row: Row, setting: string): OverrideName {
  const env = spelling.startsWith('kmp_rtmp_') ? spelling : `kmp_rtmp_${spelling}`;
  return { directive, row, flag: `--${spelling.replaceAll('_', '-')}`, env: env.toUpperCase(), setting };
}

/** All flags and variables that stand for directives. */
export const overrideNames: readonly OverrideName[] = [...directives].flatMap(([name, row]) => {
  if (isPlace(name, row)) return [];
  if (name !== 'listen') return [nameOf(name, name, row, settingOf(name, row))];
  return [nameOf('listen', name, row, 'listen'), nameOf('http_listen', name, row, 'httpListen')];
});

/**
 * Parses what flags and variables say. A flag goes before a variable; what both say about one setting is not joined.
 * @throws ConfigError that names the flag or the variable
 */
export function applyOverrides({ flags = {}, env = {} }: OverrideTexts, warnings: Warnings): Overrides {
  const byFlag = readFlags(flags, warnings);
  const byEnv = readEnv(env, warnings);
  return new Map([...byEnv, ...byFlag]);
}

function readFlags(flags: NonNullable<OverrideTexts['flags']>, warnings: Warnings): Map<string, Given> {
  const texts = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('_', '-')}`;
    if (!overrideNames.some((name) => name.flag === flag)) {
      const near = nearest(
        flag,
        overrideNames.map((name) => name.flag),
      );
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      throw new ConfigError('CONFIG_UNKNOWN', { file: flag, line: 0 }, `there is no such flag${hint}`);
    }
    texts.set(flag, typeof value === 'string' ? [value] : value);
  }
  return readTexts((name) => name.flag, texts, warnings);
}

function readEnv(env: NonNullable<OverrideTexts['env']>, warnings: Warnings): Map<string, Given> {
  const texts = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(env)) {
    // Kubernetes adds KMP_RTMP_SERVICE_HOST, KMP_RTMP_PORT_8005_TCP and the like for a service of our name.
    if (!key.startsWith('KMP_RTMP_') || /^KMP_RTMP_(SERVICE_|PORT)/.test(key) || value === undefined || value === '')
      continue;
    if (overrideNames.some((name) => name.env === key)) {
      texts.set(key, [value]);
      continue;
    }
    const near = nearest(
      key,
      overrideNames.map((name) => name.env),
    );
    warnings.add(`${key}: no directive has this variable${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  return readTexts((name) => name.env, texts, warnings);
}

/** In the order of the table, so that of rules that share a setting those that allow come first. */
function readTexts(
  spelling: (name: OverrideName) => string,
  texts: ReadonlyMap<string, readonly string[]>,
  warnings: Warnings,
): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const name of overrideNames) {
    for (const text of texts.get(spelling(name)) ?? []) {
      for (const args of split(name.row, text, spelling(name))) {
        const written: Written = { name: name.directive, args, file: spelling(name), line: 0 };
        put(given, name.row, written, warnings.add, name.setting);
      }
    }
  }
  return given;
}

/**
 * The arguments that a text holds. Where a directive has one argument, that is the whole text, blanks and all. Else it is cut up as in a
 * file, and where the directive may be repeated, `;` stands between.
 */
function split(row: Row, text: string, file: string): string[][] {
  if (row.type.args[1] === 1 && row.type.join === undefined) return [[text]];
  const lexer = new Lexer(text, file);
  const occurrences: string[][] = [[]];
  for (let token = lexer.next(); token !== undefined; token = lexer.next()) {
    if (token.kind === 'word') occurrences.at(-1)?.push(token.text);
    else if (token.kind === ';') occurrences.push([]);
    else throw new ConfigError('CONFIG_SYNTAX', { file, line: 0 }, `"${token.kind}" cannot stand in a value`);
  }
  // A ";" at the end opens nothing.
  return occurrences.filter((args, i) => args.length > 0 || i === 0);
}
