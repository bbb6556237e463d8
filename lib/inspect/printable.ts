/**
 * Characters that must not reach a terminal: control characters (escape sequences begin with one, and C1 has
 * sequences of a single character), line and paragraph separators, marks that change the direction of writing, and
 * lone surrogates.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Makes untrusted text safe for one line of a terminal: unsafe characters become `\u001b`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/**
 * A value as JSON on one line, safe for terminals. Big integers become numbers, or strings where a number would not
 * be exact.
 */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'bigint') return part;
    return part <= BigInt(Number.MAX_SAFE_INTEGER) && part >= BigInt(Number.MIN_SAFE_INTEGER)
      ? Number(part)
      : `${part}`;
  });
  // JSON.stringify does not escape DEL, C1 and format characters. Surrogate pairs are written as JSON has them.
  return json.replace(UNSAFE, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
