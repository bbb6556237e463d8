/** Characters that take two columns of a terminal: East Asian scripts, full-width forms, emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
/** Combining marks, which take no column. */
const MARK = /\p{M}/u;

function characterWidth(character: string): number {
  if (character < '\u0300') return 1;
  return MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** Columns that a text of printable characters needs. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** A text in exactly `width` columns: padded with blanks, or shortened with `…` at its end. */
export function fit(text: string, width: number, right = false): string {
  const blanks = width - displayWidth(text);
  if (blanks >= 0) return right ? ' '.repeat(blanks) + text : text + ' '.repeat(blanks);
  if (width < 1) return '';
  let cut = '';
  let used = 0;
  for (const character of text) {
    const more = characterWidth(character);
    if (used + more > width - 1) break;
    cut += character;
    used += more;
  }
  return `${cut}…${' '.repeat(width - 1 - used)}`;
}
