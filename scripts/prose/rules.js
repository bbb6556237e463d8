/** The project's own rules, in the form that textlint expects. */

/** Characters in a line (CONTRIBUTING.md, Language). */
const WIDTH = 120;

/** Words above which a sentence is too long to be understood at once. */
const MOST_WORDS = 30;

/**
 * Lines of pages and comments have at most {@link WIDTH} characters. Tables, code, and lines without a space to break
 * at are excepted.
 */
export function lineWidth({ Syntax, RuleError, report, getSource, locator }) {
  const check = (node) => {
    const text = getSource(node);
    const before = node.loc.start.column;
    let index = 0;
    for (const [at, line] of text.split('\n').entries()) {
      const length = (at === 0 ? before : 0) + line.length;
      if (
        length > WIDTH &&
        line
          .trim()
          .slice(0, WIDTH)
          .replace(/^([-*/]+|\d+\.) /, '')
          .includes(' ')
      ) {
        report(node, new RuleError(`Line of ${length} characters; at most ${WIDTH}`, { padding: locator.at(index) }));
      }
      index += line.length + 1;
    }
  };
  return { [Syntax.Paragraph]: check };
}

/** Sentences have at most {@link MOST_WORDS} words. */
export function sentenceLength({ Syntax, RuleError, report, getSource, locator }) {
  const check = (node) => {
    // Code and links count as one word, whatever they contain.
    const text = getSource(node)
      .replaceAll(/`[^`]*`/g, (code) => 'c'.repeat(code.length))
      .replaceAll(/\]\([^)]*\)/g, (target) => ']'.padEnd(target.length, 'x'));
    let start = 0;
    for (const end of sentenceEnds(text)) {
      const sentence = text.slice(start, end);
      const words = sentence.split(/\s+/).filter((word) => /\w/.test(word)).length;
      if (words > MOST_WORDS) {
        const index = start + sentence.search(/\S/);
        report(
          node,
          new RuleError(`Sentence of ${words} words; at most ${MOST_WORDS}`, { padding: locator.at(index) }),
        );
      }
      start = end;
    }
  };
  return { [Syntax.Paragraph]: check, [Syntax.TableCell]: check };
}

/** Offsets at which sentences end. A semicolon or a colon ends one too: a reader can pause there. */
function sentenceEnds(text) {
  return [...[...text.matchAll(/[.!?:;]["')*]*\s/g)].map(({ index, 0: found }) => index + found.length), text.length];
}
