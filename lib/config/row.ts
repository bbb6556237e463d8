import { noArguments, type ValueType } from './types.js';

/** A kind of block. `stream server` and `http server` differ, although both are written `server`. */
export type Context = 'main' | 'stream' | 'stream server' | 'http' | 'http server' | 'location' | 'fleet';

/** One directive: a row of the table that the parser, the types, the help and the reference page are generated from. */
export interface Row<V = unknown, S extends string | undefined = string | undefined> {
  readonly type: ValueType<V>;
  readonly contexts: readonly Context[];
  /** Value without the directive. */
  readonly default: V;
  /** The default as it is written in a file; empty: none. */
  readonly defaultText: string;
  /** One paragraph for the reference page. */
  readonly doc: string;
  /** Why the directive has no effect; absent if it works. */
  readonly noEffect?: string;
  /** A typical use, for the reference page. */
  readonly example?: string;
  /** Contexts where nginx accepts the directive and this service ignores it with a warning. */
  readonly ignoredIn?: readonly Context[];
  /**
   * Name of the setting, if it is not derived from the directive. Directives of the same setting form one list, in the
   * order of the file.
   */
  readonly setting: S;
}

type CamelCase<N extends string> = N extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : N;

/** `kmp_rtmp_in_read_timeout` -> `inReadTimeout`; `error_log` -> `errorLog`. */
export type SettingName<N extends string> = N extends `kmp_rtmp_${infer Rest}` ? CamelCase<Rest> : CamelCase<N>;

export type Rows = Readonly<Record<string, Row>>;

/** The typed settings of a part of the table. */
export type SettingsOf<T extends Rows> = {
  readonly [
    N in keyof T & string as T[N]['setting'] extends string ? T[N]['setting'] : SettingName<N>
  ]: T[N] extends Row<infer V> ? V : never;
};

/** By directive. A configuration with a thousand servers asks for each name a thousand times. */
const settingNames = new Map<string, string>();

/** The name of the setting of a directive. */
export function settingOf(name: string, row: Row): string {
  if (row.setting !== undefined) return row.setting;
  let setting = settingNames.get(name);
  if (setting === undefined) {
    setting = name.replace(/^kmp_rtmp_/, '').replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    settingNames.set(name, setting);
  }
  return setting;
}

/** The syntax of a directive, for messages, help and the reference page. */
export function syntaxOf(name: string, { type }: Row): string {
  const head = type.syntax === '' ? name : `${name} ${type.syntax}`;
  return type.block === true ? `${head} { ... }` : `${head};`;
}

/** A readable name of a context. */
export function contextName(context: Context): string {
  return context.replace(/^(\w+) server$/, 'server (of $1)');
}

interface RowOptions<S extends string | undefined> {
  readonly contexts: readonly Context[];
  readonly doc: string;
  readonly noEffect?: string;
  readonly example?: string;
  readonly ignoredIn?: readonly Context[];
  readonly setting?: S;
  /** The default on the reference page, if it differs from the text that the default is parsed from. */
  readonly shown?: string;
}

/** Joins the lines of a template into one paragraph. */
function paragraph(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function make<V, S extends string | undefined>(
  type: ValueType<V>,
  standard: V,
  defaultText: string,
  { contexts, shown = defaultText, doc, setting, noEffect, example, ignoredIn }: RowOptions<S>,
): Row<V, S> {
  return {
    type,
    contexts,
    default: standard,
    defaultText: shown,
    doc: paragraph(doc),
    setting: setting as S,
    ...(noEffect === undefined ? {} : { noEffect: paragraph(noEffect) }),
    ...(example === undefined ? {} : { example }),
    ...(ignoredIn === undefined ? {} : { ignoredIn }),
  };
}

/**
 * A row with a default. The type of the row parses the default from text, so the documented default and the value
 * agree.
 * @throws ValueError if the default is not valid for the type
 */
export function row<V, S extends string | undefined = undefined>(
  type: ValueType<V>,
  defaultText: string,
  extra: RowOptions<S>,
): Row<V, S> {
  return make(
    type,
    type.parse(type.args[1] > 1 ? defaultText.split(' ') : [defaultText], () => {}),
    defaultText,
    extra,
  );
}

/** A row without a default: the value is undefined without the directive. */
export function optional<V, S extends string | undefined = undefined>(
  type: ValueType<V>,
  extra: RowOptions<S>,
): Row<V | undefined, S> {
  return make<V | undefined, S>(type, undefined, '', extra);
}

/** A row of a directive that may be repeated. The value is a list, empty without the directive. */
export function repeatable<V, S extends string | undefined = undefined>(
  type: ValueType<V>,
  extra: RowOptions<S>,
): Row<readonly V[], S> {
  const many: ValueType<readonly V[]> = {
    ...type,
    parse: (args, warn) => [type.parse(args, warn)],
    join: (earlier, next) => [...earlier, ...next],
  };
  return make(many, [], '', extra);
}

/** A row of a directive without arguments. The value is whether the directive is present. */
export function switchRow<S extends string | undefined = undefined>(extra: RowOptions<S>): Row<boolean, S> {
  return make(noArguments, false, '', extra);
}

/** A row of a directive that opens a block. */
export function block<S extends string | undefined = undefined>(
  syntax: string,
  args: readonly [number, number],
  extra: RowOptions<S>,
): Row<boolean, S> {
  const expected = syntax === '' ? 'no arguments' : syntax;
  return make({ syntax, expected, args, block: true, parse: () => true }, false, '', extra);
}
