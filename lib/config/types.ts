import { ValueError } from './errors.js';

/** Says something about a value that is taken, but not quite as written. */
export type Warn = (warning: string) => void;

/** How the arguments of a directive become a value. */
export interface ValueType<V> {
  /** The arguments, as a syntax line shows them. */
  readonly syntax: string;
  /** What the arguments must be; completes "expected ...". */
  readonly expected: string;
  /** Smallest and largest number of arguments. */
  readonly args: readonly [min: number, max: number];
  /** A block follows the arguments. */
  readonly block?: true;
  /** @throws ValueError if the arguments, whose number was checked, are not such a value */
  parse(args: readonly string[], warn: Warn): V;
  /** Present if the directive may be repeated within a block: what both occurrences give together. */
  join?(earlier: V, next: V): V;
}

/** A type of one argument. `read` answers undefined for what it does not take. */
export function oneOf<V>(syntax: string, expected: string, read: (text: string) => V | undefined): ValueType<V> {
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

/** Digits only, as nginx reads numbers; undefined if it is anything else or past 2^53. */
export function digits(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function within(value: number | undefined, [min, max]: readonly [number, number]): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/** Largest time, in ms: what a timer of Node (and nginx's own parser) can hold; nearly 25 days. */
export const MAX_MSEC = 2 ** 31 - 1;

const UNITS: ReadonlyMap<string, number> = new Map([
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]);

/**
 * nginx's times: numbers with a unit, largest unit first, blanks allowed between (`500ms`, `10s`, `1m`, `1h 30m`).
 * A number without a unit is seconds, as in nginx (its ngx_parse_time), and stands last.
 * @returns ms, 0..2^31-1; undefined if `text` is no such time
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
  return total <= MAX_MSEC ? total : undefined;
}

/**
 * nginx's sizes: bytes, or with the suffix k, m or g (either case).
 * @returns bytes, up to 2^53; undefined if `text` is no such size
 */
export function parseSize(text: string): number | undefined {
  const [, number = '', suffix = ''] = /^(\d+)([kmg]?)$/i.exec(text) ?? [];
  const value = digits(number);
  const bytes = value === undefined ? NaN : value * 1024 ** ['', 'k', 'm', 'g'].indexOf(suffix.toLowerCase());
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A time in ms. */
export const msec = oneOf('msec', 'a time such as 500ms, 10s, 1m or 1h30m (without a unit: seconds)', parseTime);

/** A size in bytes. Without a range: 1 byte to 1 TiB. */
export function size(min = 1, max = 2 ** 40): ValueType<number> {
  const range = max === 2 ** 40 ? '' : ` in the range ${min} .. ${max}`;
  return oneOf('size', `a size such as 4096, 64k or 16m${range}`, (text) => within(parseSize(text), [min, max]));
}

/** A whole number within a range. */
export function num(min: number, max: number): ValueType<number> {
  return oneOf('num', `a whole number in the range ${min} .. ${max}`, (text) => within(digits(text), [min, max]));
}

/** A whole number, or the word `unlimited`, which gives Infinity. */
export function numOrUnlimited(max: number): ValueType<number> {
  return oneOf('num | unlimited', `a whole number in the range 0 .. ${max}, or "unlimited"`, (text) =>
    text === 'unlimited' ? Infinity : within(digits(text), [0, max]),
  );
}

/** A whole number, or the word `auto`. */
export function numOrAuto(min: number, max: number): ValueType<number | 'auto'> {
  return oneOf('num | auto', `a whole number in the range ${min} .. ${max}, or "auto"`, (text) =>
    text === 'auto' ? text : within(digits(text), [min, max]),
  );
}

/** One of a few words. */
export function choice<const W extends string>(...words: readonly W[]): ValueType<W> {
  return oneOf(words.join(' | '), `one of ${words.join(', ')}`, (text) => words.find((word) => word === text));
}

/** Words of a few, each at most once. */
export function choices<const W extends string>(...words: readonly W[]): ValueType<readonly W[]> {
  const one = choice(...words);
  return {
    syntax: `${words.join(' | ')} ...`,
    expected: `words of ${words.join(', ')}`,
    args: [1, words.length],
    parse: (args, warn) => [...new Set(args.map((arg) => one.parse([arg], warn)))],
  };
}

/** `on` or `off`. */
export const flag: ValueType<boolean> = oneOf('on | off', '"on" or "off"', (text) =>
  text === 'on' ? true : text === 'off' ? false : undefined,
);

/** Any text of one line. */
export const str: ValueType<string> = oneOf('str', 'a text without control characters', (text) =>
  hasControl(text) ? undefined : text,
);

/** A file or folder; empty: none. A path that is not absolute is taken from the folder that the process was started in. */
export const path: ValueType<string> = { ...str, syntax: 'path', expected: 'a path without control characters' };

/** An http or https address; empty: none. */
export const url: ValueType<string> = oneOf('url', 'a URL that begins with http:// or https://', (text) => {
  if (text === '') return text;
  return /^https?:\/\/[^/]/i.test(text) && !hasControl(text) && URL.canParse(text) ? text : undefined;
});

/** A bearer token (RFC 6750, b64token). */
export const token: ValueType<string> = oneOf(
  'token',
  'a token of letters, digits and -._~+/ (with = at its end only)',
  (text) => (/^[\w.~+/-]+=*$/.test(text) ? text : undefined),
);

/** Parameters of the form `name=on|off`, each at most once, with their defaults. */
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

/** Names of a server. Patterns and nginx's `_` and `""` are passed over, with a word about the former. */
export const serverNames: ValueType<readonly string[]> = {
  syntax: 'name ...',
  expected: 'names of hosts',
  args: [1, 1000],
  parse(args, warn) {
    const names = args.filter((name) => /^[\w-]+(\.[\w-]+)*\.?$/.test(name) && name !== '_');
    const passed = args.filter((name) => !names.includes(name) && name !== '_' && name !== '');
    if (passed.length > 0) warn(`only whole names count here, "${passed.join('", "')}" does nothing`);
    return names;
  },
  join: (earlier, next) => [...earlier, ...next],
};

/** The directive stands there or not. */
export const present: ValueType<boolean> = { syntax: '', expected: 'no arguments', args: [0, 0], parse: () => true };

/** Any C0 control character or DEL, which could start a line or a header of its own. */
export function hasControl(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(text);
}
