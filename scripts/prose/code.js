import ts from 'typescript';

/** A string with fewer spaces is a name or a format, not a text for readers. */
const TEXT_BLANKS = 2;

/** The extension that stands for all files with comments that begin with `#`. */
export const HASH_COMMENTS = '.conf';

/** A textlint plugin for source files. Their prose is the comments, and the strings that are texts for readers. */
export default {
  Processor: class {
    availableExtensions() {
      return ['.ts', '.js', HASH_COMMENTS];
    }

    processor(extension) {
      return {
        preProcess: (text, path) => {
          const source = ts.createSourceFile(path ?? 'source.ts', text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
          return documentOf(source, extension === HASH_COMMENTS ? hashRanges(text) : proseRanges(source, text));
        },
        postProcess: (messages, filePath) => ({ messages, filePath: filePath ?? '' }),
      };
    }
  },
};

/** The tree that textlint's rules walk: a paragraph for each comment, and the texts as they are. */
function documentOf(source, ranges) {
  const { text } = source;
  const node = (type, start, end, more) => {
    const at = (offset) => {
      const { line, character } = source.getLineAndCharacterOfPosition(offset);
      return { line: line + 1, column: character };
    };
    return { type, raw: text.slice(start, end), range: [start, end], loc: { start: at(start), end: at(end) }, ...more };
  };
  const children = ranges.map(([start, end]) => {
    const str = node('Str', start, end, { value: text.slice(start, end) });
    return /[/#]/.test(text[start]) ? node('Paragraph', start, end, { children: [str] }) : str;
  });
  return node('Document', 0, text.length, { children });
}

/** Where the comments of a file are whose comments begin with `#`; lines that follow each other are one. */
function hashRanges(text) {
  return [...text.matchAll(/(?<=^[ \t]*)#.*(\n[ \t]*#.*)*/gm)].map(({ index, 0: found }) => [
    index,
    index + found.length,
  ]);
}

/** Where the comments and texts of a file are, in their order; lines of `//` that follow each other are one. */
function proseRanges(source, text) {
  const found = new Map();
  const visit = (node) => {
    for (const { pos, end } of ts.getLeadingCommentRanges(text, node.pos) ?? []) found.set(pos, end);
    for (const { pos, end } of ts.getTrailingCommentRanges(text, node.end) ?? []) found.set(pos, end);
    if (isText(node)) found.set(node.getStart(), node.end);
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  const joined = [];
  for (const [start, end] of [...found].sort(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    const continues =
      last !== undefined && text.startsWith('//', start) && /^\n[ \t]*$/.test(text.slice(last[1], start));
    if (continues) last[1] = end;
    else joined.push([start, end]);
  }
  return joined;
}

function isText(node) {
  const isString = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
  return isString && node.text.split(/\s+/).length > TEXT_BLANKS;
}
