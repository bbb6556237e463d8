import { RE2JS } from 're2js';

/** Finds the first match in a text: the whole match and its groups, or null. */
export type LinearPattern = (text: string) => readonly (string | undefined)[] | null;

/** Patterns that are compiled, by their regular expression. */
const compiled = new WeakMap<RegExp, LinearPattern>();

/**
 * Compiles a pattern for texts from clients. The time of a match grows linearly with the text. RegExp can need
 * exponential time (`(a+)+$`), and a client that knows of such a pattern could stop the whole process.
 *
 * @throws Error if the pattern needs what no linear engine has: lookahead, lookbehind and backreferences; or if it is
 *   too large
 */
export function linearPattern(pattern: RegExp): LinearPattern {
  let match = compiled.get(pattern);
  if (match === undefined) compiled.set(pattern, (match = compile(pattern)));
  return match;
}

function compile({ source, ignoreCase, multiline, dotAll }: RegExp): LinearPattern {
  const flags =
    (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) | (multiline ? RE2JS.MULTILINE : 0) | (dotAll ? RE2JS.DOTALL : 0);
  const re2 = RE2JS.compile(RE2JS.translateRegExp(source), flags);
  const groups = re2.groupCount();
  return (text) => {
    const matcher = re2.matcher(text);
    if (!matcher.find()) return null;
    return Array.from({ length: groups + 1 }, (_, index) => matcher.group(index) ?? undefined);
  };
}
