// Wraps the text of a generated page, so that its lines are as long as those of pages that are written by hand.
const WIDTH = 120;

/** A word that means something else at the beginning of a line: it stays behind the word before it. */
const MARK = /^([-+*|>]|#+|\d+[.)])$/;

/** The mark of a list item, with its indent. */
const ITEM = /^\s*(-|\d+\.) /;

/** Lines that stay as they are: headings, tables, comments, and the borders of code. */
const FIXED = /^\s*(#|\||<!--|```|$)/;

/**
 * The page with each paragraph and list item wrapped.
 *
 * @param page in Markdown
 */
export function wrapped(page) {
  const lines = [];
  let inCode = false;
  for (const line of page.split('\n')) {
    if (/^\s*```/.test(line)) inCode = !inCode;
    const last = lines.at(-1);
    const isItem = ITEM.test(line);
    if (inCode || FIXED.test(line)) lines.push({ line, fixed: true });
    else if (isItem || last === undefined || last.fixed) lines.push({ line, fixed: false });
    else last.line += ` ${line.trim()}`;
  }
  return lines.flatMap(({ line, fixed }) => (fixed ? [line] : wrap(line))).join('\n');
}

function wrap(line) {
  const indent = /^\s*/.exec(line)[0];
  const hanging = ' '.repeat(ITEM.exec(line)?.[0].length ?? indent.length);
  const result = [];
  let current = '';
  for (const word of words(line.trim())) {
    if (current === '') current = `${indent}${word}`;
    else if (current.length + 1 + word.length <= WIDTH) current += ` ${word}`;
    else {
      result.push(current);
      current = `${hanging}${word}`;
    }
  }
  return [...result, current];
}

/** The words of a text; a mark is one with the word before it, except the mark of a list item. */
function words(text) {
  const found = [];
  for (const word of text.split(' ')) {
    if (found.length > 1 && MARK.test(word)) found[found.length - 1] += ` ${word}`;
    else found.push(word);
  }
  return found;
}
