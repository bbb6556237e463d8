/**
 * What must not reach a terminal as it is: control characters (escape sequences begin with one, and C1 holds sequences of
 * one character), line and paragraph separators, marks that turn the direction of writing round, and halves of surrogate pairs.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Text of an untrusted source, fit for a line of a terminal: what is unsafe is shown as `\u001b`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/**
 * A value as JSON in one line, that a terminal cannot be harmed by either. Big integers become numbers, or strings where a
 * number would not be exact.
 */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'bigint') return part;
    return part <= BigInt(Number.MAX_SAFE_INTEGER) && part >= BigInt(Number.MIN_SAFE_INTEGER)
      ? Number(part)
      : `${part}`;
  });
  // JSON.stringify leaves DEL, C1 and the format characters as they are. Pairs are written as JSON has them.
  return json.replace(UNSAFE, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
