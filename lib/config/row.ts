import { present, type ValueType } from './types.js';

/** A block that directives stand in: `stream server` and `http server` are two, though both are written `server`. */
export type Context = 'main' | 'stream' | 'stream server' | 'http' | 'http server' | 'location';

/** One directive: a row of the table that parsing, types, help and reference page are made from. */
export interface Row<V = unknown, S extends string | undefined = string | undefined> {
  readonly type: ValueType<V>;
  readonly contexts: readonly Context[];
  /** What it has where it is not given. */
  readonly default: V;
  /** The same, as it would be written; empty: nothing. */
  readonly defaultText: string;
  /** One paragraph for the reference page. */
  readonly doc: string;
  /** Why the directive is taken and does nothing; absent if it works. */
  readonly noEffect?: string;
  /** Where nginx takes it as well, and it does nothing here. */
  readonly idleIn?: readonly Context[];
  /** The setting it feeds, where that does not follow from the name. Rows of one setting make one list, in the order written. */
  readonly setting: S;
}

type Camel<N extends string> = N extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : N;

/** `kmp_rtmp_in_read_timeout` -> `inReadTimeout`; `error_log` -> `errorLog`. */
export type SettingName<N extends string> = N extends `kmp_rtmp_${infer Rest}` ? Camel<Rest> : Camel<N>;

export type Rows = Readonly<Record<string, Row>>;

/** The typed settings that a part of the table stands for. */
export type SettingsOf<T extends Rows> = {
  readonly [
    N in keyof T & string as T[N]['setting'] extends string ? T[N]['setting'] : SettingName<N>
  ]: T[N] extends Row<infer V> ? V : never;
};

/** The setting that a directive feeds. */
export function settingOf(name: string, row: Row): string {
  return (
    row.setting ?? name.replace(/^kmp_rtmp_/, '').replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  );
}

/** How the directive is written; for messages, help and the reference page. */
export function syntaxOf(name: string, { type }: Row): string {
  const head = type.syntax === '' ? name : `${name} ${type.syntax}`;
  return type.block === true ? `${head} { ... }` : `${head};`;
}

/** What people call a context: both kinds of server are written the same. */
export function contextName(context: Context): string {
  return context.replace(/^(\w+) server$/, 'server (of $1)');
}

interface RowExtra<S extends string | undefined> {
  readonly contexts: readonly Context[];
  readonly doc: string;
  readonly noEffect?: string;
  readonly idleIn?: readonly Context[];
  readonly setting?: S;
  /** What the page shows as default, where it is not the text that the default is read from. */
  readonly shown?: string;
}

/** Blanks and line breaks as they fall in the source become one blank. */
function paragraph(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function make<V, S extends string | undefined>(
  type: ValueType<V>,
  standard: V,
  defaultText: string,
  { contexts, shown = defaultText, doc, setting, noEffect, idleIn }: RowExtra<S>,
): Row<V, S> {
  return {
    type,
    contexts,
    default: standard,
    defaultText: shown,
    doc: paragraph(doc),
    setting: setting as S,
    ...(noEffect === undefined ? {} : { noEffect: paragraph(noEffect) }),
    ...(idleIn === undefined ? {} : { idleIn }),
  };
}

/**
 * A row whose default is read from text by the row's own type, so that what is shown and what holds cannot differ.
 * @throws ValueError if it is not a value of that type
 */
export function row<V, S extends string | undefined = undefined>(
  type: ValueType<V>,
  defaultText: string,
  extra: RowExtra<S>,
): Row<V, S> {
  return make(
    type,
    type.parse([defaultText], () => {}),
    defaultText,
    extra,
  );
}

/** A row that is undefined where it is not given. */
export function optional<V, S extends string | undefined = undefined>(
  type: ValueType<V>,
  extra: RowExtra<S>,
): Row<V | undefined, S> {
  return make<V | undefined, S>(type, undefined, '', extra);
}

/** A row that may be repeated; an empty list where it is not given. */
export function listed<V, S extends string | undefined = undefined>(
  type: ValueType<V>,
  extra: RowExtra<S>,
): Row<readonly V[], S> {
  const many: ValueType<readonly V[]> = {
    ...type,
    parse: (args, warn) => [type.parse(args, warn)],
    join: (earlier, next) => [...earlier, ...next],
  };
  return make(many, [], '', extra);
}

/** A row without arguments: false where it is not given. */
export function presence<S extends string | undefined = undefined>(extra: RowExtra<S>): Row<boolean, S> {
  return make(present, false, '', extra);
}

/** A row for a directive that holds others. */
export function block<S extends string | undefined = undefined>(
  syntax: string,
  args: readonly [number, number],
  extra: RowExtra<S>,
): Row<boolean, S> {
  const expected = syntax === '' ? 'no arguments' : syntax;
  return make({ syntax, expected, args, block: true, parse: () => true }, false, '', extra);
}
