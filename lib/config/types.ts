import { maskUrl } from '../base/mask.js';
import { ValueError } from './errors.js';

/** Reports a value that is accepted, but not exactly as written. */
export type Warn = (warning: string) => void;

/** Converts the arguments of a directive to a value. */
export interface ValueType<V> {
  /** The arguments in the syntax line of the reference page. */
  readonly syntax: string;
  /** A description of valid arguments; completes "expected ...". */
  readonly expected: string;
  /** Minimum and maximum number of arguments. */
  readonly args: readonly [min: number, max: number];
  /** A block follows the arguments. */
  readonly block?: true;
  /** An argument is a secret, or contains one: no message may quote it. */
  readonly secret?: true;
  /** The number of arguments has been checked. @throws ValueError if they are not valid */
  parse(args: readonly string[], warn: Warn): V;
  /** Combines two occurrences in one block. Absent if the directive must not be repeated. */
  join?(earlier: V, next: V): V;
}

/** A type with one argument. `read` returns undefined for an invalid text. */
export function singleArgument<V>(
  syntax: string,
  expected: string,
  read: (text: string) => V | undefined,
): ValueType<V> {
  return {
    syntax,
    expected,
    args: [1, 1],
    parse([text = '']) {
      const value = read(text);
      if (value === undefined) throw new ValueError(`"${text}" is not ${expected}`);
      return value;
    },
  };
}

/** Shortest secret without a warning, in characters: a shorter one can be guessed. */
const SHORTEST_SECRET = 8;

/** Returns whether a secret can be guessed. The empty text is no secret. */
export function isShortSecret({ length }: string): boolean {
  return length > 0 && length < SHORTEST_SECRET;
}

/** A type with one argument that is a secret. Messages do not contain it; a short one causes a warning. */
export function secretArgument(
  syntax: string,
  expected: string,
  read: (text: string) => string | undefined,
): ValueType<string> {
  return {
    ...{ syntax, expected, args: [1, 1], secret: true },
    parse([text = ''], warn) {
      const value = read(text);
      if (value === undefined) throw new ValueError(`the value (not shown here) is not ${expected}`);
      if (isShortSecret(value)) warn(shortSecret(value));
      return value;
    },
  };
}

/** The warning for a secret that is too short. */
export function shortSecret({ length }: string): string {
  return `a secret of ${length} character${length === 1 ? '' : 's'} can be guessed; use at least ${SHORTEST_SECRET}`;
}

/** Parses decimal digits, like numbers in nginx; undefined for any other text and above 2^53. */
export function parseDigits(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function inRange(value: number | undefined, [min, max]: readonly [number, number]): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]);

/**
 * Parses a time of nginx (ngx_parse_time): numbers with units, largest unit first, with optional spaces between them
 * (`500ms`, `10s`, `1m`, `1h 30m`). A number without a unit is in seconds and must be the last one.
 * @returns ms, up to 2^53 - 1; undefined if `text` is not a time
 */
export function parseTime(text: string): number | undefined {
  if (!/^ *(?:\d+(?:ms|[wdhms]) *)*(?:\d+ *)?$/.test(text) || !/\d/.test(text)) return undefined;
  let total = 0;
  let last = Infinity;
  for (const [, number = '', unit = 's'] of text.matchAll(/(\d+)(ms|[wdhms])?/g)) {
    const scale = UNITS.get(unit) ?? 0;
    if (scale >= last) return undefined;
    last = scale;
    total += Number(number) * scale;
  }
  return Number.isSafeInteger(total) ? total : undefined;
}

/**
 * Parses a size of nginx: bytes, or a number with the suffix k, m or g (upper or lower case).
 * @returns bytes, up to 2^53; undefined if `text` is not a size
 */
export function parseSize(text: string): number | undefined {
  const [, number = '', suffix = ''] = /^(\d+)([kmg]?)$/i.exec(text) ?? [];
  const value = parseDigits(number);
  const bytes = value === undefined ? NaN : value * 1024 ** ['', 'k', 'm', 'g'].indexOf(suffix.toLowerCase());
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A time in ms. */
export const msec = singleArgument(
  'msec',
  'a time such as 500ms, 10s, 1m or 1h30m (without a unit: seconds)',
  parseTime,
);

/** A time of at least 1 ms. */
export const msecFromOne = singleArgument(
  'msec',
  'a time of at least 1ms, such as 500ms, 10s or 1m (without a unit: seconds)',
  (text) => inRange(parseTime(text), [1, Infinity]),
);

/** A time of at least 1 ms, or the word `never` for Infinity. */
export const msecOrNever = singleArgument(
  'never | msec',
  '"never", or a time of at least 1ms, such as 500ms, 10s or 1m (without a unit: seconds)',
  (text) => (text === 'never' ? Infinity : inRange(parseTime(text), [1, Infinity])),
);

/**
 * A time, or a shortest and a longest one. One time may be 0, and two that are equal are one. @returns ms
 */
export const msecBounds: ValueType<number | { readonly shortest: number; readonly longest: number }> = {
  syntax: 'msec [longest_msec]',
  expected: 'one time such as 230ms, or two: the shortest (at least 1ms) and the longest',
  args: [1, 2],
  parse(args) {
    const [shortest = 0, longest = shortest] = args.map((text) => msec.parse([text], () => {}));
    if (args.length === 1) return shortest;
    if (shortest === 0 || shortest > longest) {
      throw new ValueError(`"${args.join(' ')}" is not two times, the shortest (at least 1ms) before the longest`);
    }
    return shortest === longest ? longest : { shortest, longest };
  },
};

/** A size in bytes. Default range: 1 byte to 1 TiB. */
export function size(min = 1, max = 2 ** 40): ValueType<number> {
  const range = max === 2 ** 40 ? '' : ` in the range ${min} .. ${max}`;
  return singleArgument('size', `a size such as 4096, 64k or 16m${range}`, (text) =>
    inRange(parseSize(text), [min, max]),
  );
}

/** A size, or one of the words `auto` and `off`. */
export function sizeOrAuto(min = 1, max = 2 ** 50): ValueType<number | 'auto' | 'off'> {
  return singleArgument('size | auto | off', 'a size such as 500m or 2g, "auto" or "off"', (text) =>
    text === 'auto' || text === 'off' ? text : inRange(parseSize(text), [min, max]),
  );
}

/** A whole number in a range. */
export function num(min: number, max: number): ValueType<number> {
  return singleArgument('num', `a whole number in the range ${min} .. ${max}`, (text) =>
    inRange(parseDigits(text), [min, max]),
  );
}

/** A whole number, or the word `unlimited` for Infinity. */
export function numOrUnlimited(max: number): ValueType<number> {
  return singleArgument('num | unlimited', `a whole number in the range 0 .. ${max}, or "unlimited"`, (text) =>
    text === 'unlimited' ? Infinity : inRange(parseDigits(text), [0, max]),
  );
}

/** A whole number, or the word `auto`. */
export function numOrAuto(min: number, max: number): ValueType<number | 'auto'> {
  return singleArgument('num | auto', `a whole number in the range ${min} .. ${max}, or "auto"`, (text) =>
    text === 'auto' ? text : inRange(parseDigits(text), [min, max]),
  );
}

/** One of several words. */
export function choice<const W extends string>(...words: readonly W[]): ValueType<W> {
  return singleArgument(words.join(' | '), `one of ${words.join(', ')}`, (text) => words.find((word) => word === text));
}

/** One or more of several words. */
export function choices<const W extends string>(...words: readonly W[]): ValueType<readonly W[]> {
  const one = choice(...words);
  return {
    syntax: `${words.join(' | ')} ...`,
    expected: `one or more of ${words.join(', ')}`,
    args: [1, words.length],
    parse: (args, warn) => [...new Set(args.map((arg) => one.parse([arg], warn)))],
  };
}

/** `on` or `off`. */
export const flag: ValueType<boolean> = singleArgument('on | off', '"on" or "off"', (text) =>
  text === 'on' ? true : text === 'off' ? false : undefined,
);

/** A text without control characters. */
export const str: ValueType<string> = singleArgument('str', 'a text without control characters', (text) =>
  hasControlCharacter(text) ? undefined : text,
);

/** A secret text without control characters; empty: none. */
export const secret: ValueType<string> = secretArgument('str', 'a text without control characters', (text) =>
  hasControlCharacter(text) ? undefined : text,
);

/** A file or a folder; empty: none. A relative path is resolved against the working directory of the process. */
export const path: ValueType<string> = { ...str, syntax: 'path', expected: 'a path without control characters' };

/** `none`, `freeze`, or the path of a file. */
export const slate: ValueType<string> = singleArgument(
  'none | freeze | path',
  'none, freeze, or the path of a file without control characters',
  (text) => (text === '' || hasControlCharacter(text) ? undefined : text),
);

/** A text; the empty text stands for the default. */
export function strOrDefault(standard: string): ValueType<string> {
  return singleArgument('str', 'a text without control characters; empty for the default', (text) =>
    hasControlCharacter(text) ? undefined : text === '' ? standard : text,
  );
}

/** An http or https URL; empty: none. As in the nginx module, `http://` is added to a URL without a scheme. */
export const url: ValueType<string> = {
  syntax: 'url',
  expected: 'a URL that begins with http:// or https:// (or a host: http:// is then added)',
  args: [1, 1],
  // User, password, path and query can be secrets.
  secret: true,
  parse([text = '']) {
    const value = readUrl(text);
    if (value === undefined) throw new ValueError(`"${maskUrl(text)}" is not ${url.expected}`);
    return value;
  },
};

function readUrl(text: string): string | undefined {
  if (text === '') return text;
  // A mistyped scheme is not a host.
  if (/^https?:(?!\/\/)/i.test(text)) return undefined;
  const complete = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const valid = /^https?:\/\/[^/:?#\s]/i.test(complete) && !/[\s\\]/.test(complete) && !hasControlCharacter(complete);
  return valid && URL.canParse(complete) ? complete : undefined;
}

/** A bearer token (b64token of RFC 6750). */
export const token: ValueType<string> = secretArgument(
  'token',
  'a token of letters, digits and -._~+/ (and = at the end)',
  (text) => (/^[\w.~+/-]+=*$/.test(text) ? text : undefined),
);

/** Parameters `name=on|off` with their defaults. */
export function parameters<N extends string>(defaults: Readonly<Record<N, boolean>>): ValueType<Record<N, boolean>> {
  const names = Object.keys(defaults) as N[];
  const expected = names.map((name) => `${name}=on|off`).join(', ');
  return {
    syntax: names.map((name) => `[${name}=on|off]`).join(' '),
    expected,
    args: [0, names.length],
    parse(args) {
      const values: Record<N, boolean> = { ...defaults };
      for (const arg of args) {
        const name = names.find((one) => arg.startsWith(`${one}=`));
        const value = name === undefined ? undefined : arg.slice(name.length + 1);
        if (name === undefined || (value !== 'on' && value !== 'off')) {
          throw new ValueError(`"${arg}" is not ${expected}`);
        }
        values[name] = value === 'on';
      }
      return values;
    },
  };
}

/**
 * Names of a server: complete names, and `*.NAME` (or `.NAME`, which includes NAME). The `_` and `""` of nginx are
 * ignored; other patterns are ignored with a warning.
 */
export const serverNames: ValueType<readonly string[]> = {
  syntax: 'name ...',
  expected: 'names of hosts',
  args: [1, 1000],
  parse(args, warn) {
    const isName = (name: string): boolean => /^(\*?\.)?[\w-]+(\.[\w-]+)*\.?$/.test(name) && name !== '_';
    const passed = args.filter((name) => !isName(name) && name !== '_' && name !== '');
    if (passed.length > 0) warn(`"${passed.join('", "')}" has no effect: only names and *.name are supported`);
    return args.filter(isName).flatMap((name) => (name.startsWith('.') ? [`*${name}`, name.slice(1)] : [name]));
  },
  join: (earlier, next) => [...earlier, ...next],
};

/** A directive without arguments. */
export const noArguments: ValueType<boolean> = {
  syntax: '',
  expected: 'no arguments',
  args: [0, 0],
  parse: () => true,
};

/** Returns whether `text` contains a C0 control character or DEL, which could begin another line or header. */
export function hasControlCharacter(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(text);
}
