import { groups } from './directives.js';
import { overrideNames } from './overrides.js';
import { contextName, syntaxOf, type Row } from './row.js';

const INTRODUCTION = `\
# Configuration reference

<!-- Generated from the table of directives (lib/config/directives) by scripts/reference.js. Edit the table, not this page. -->

\`kmp-rtmp -c FILE\` reads a configuration file in nginx syntax. \`kmp-rtmp -t -c FILE\` checks the file and exits. Without a
file, the service accepts KMP on 127.0.0.1:8005 and HTTP on 127.0.0.1:8001.

## Syntax of the file

- A directive is a name with arguments and \`;\`, or a block in braces. \`#\` begins a comment.
- An argument with spaces, \`;\` or braces must be in single or double quotes. A backslash before a quote or a backslash
  removes its special meaning, inside and outside of quotes.
- A directive applies to its block and to the blocks inside, unless an inner block has the same directive. Lists (added
  headers, \`allow\` and \`deny\`, routes) are inherited only by inner blocks that have no list of their own.
- Paths are relative to the working directory of the process, except for \`include\`.

These are errors, reported with file and line: an unknown directive whose name begins with \`kmp_\`, an invalid value, and a
directive in the wrong block. Directives of nginx that restrict access to a location (\`auth_basic\`, \`limit_except\`,
\`satisfy any\` and similar ones) are errors too, because ignoring them would open the location. Any other unknown directive is
ignored, with one warning for each name.

| value | syntax |
|---|---|
| size | bytes, or a number with \`k\`, \`m\` or \`g\`: \`4096\`, \`64k\`, \`16m\` |
| msec | numbers with \`ms\`, \`s\`, \`m\`, \`h\`, \`d\` or \`w\`, largest unit first: \`500ms\`, \`10s\`, \`1h30m\`. Without a unit: seconds, as in nginx |
| num | a whole number |
| str, path, url, token | text; \`""\` is the empty text |

## Flags and environment variables

Most directives are also available as a flag and as an environment variable. The value is taken from the first of:

1. the flag: \`--kmp-rtmp-out-chunk-size 64k\`
2. the environment variable: \`KMP_RTMP_OUT_CHUNK_SIZE=64k\`; an empty variable counts as not set
3. the innermost block of the file that has the directive
4. the default

A flag or a variable applies to every block in which the directive is allowed. For a directive of a location, it applies to the
locations that have the directive in the file (\`kmp_rtmp_route\`: to those that have \`kmp_rtmp_control\`).

A directive with several arguments takes them in one value, quoted as in a file. A directive that may be repeated takes several
occurrences, separated by \`;\`; its flag may also be repeated. Of \`allow\` and \`deny\` given this way, all \`allow\` rules come
first. \`--listen\` and \`--http-listen\` require a configuration with exactly one server of that kind.
`;

/** The contexts as a list. `server` is written without its kind where only one kind is possible. */
function contextsOf({ contexts }: Row): string {
  const kinds = new Set(contexts.filter((context) => context.endsWith(' server')));
  const names = contexts.map((context) =>
    kinds.size === 1 ? context.replace(/^\w+ server$/, 'server') : contextName(context),
  );
  return names.map((name) => name.replace(/^(\S+)/, '`$1`')).join(', ');
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

/** Width of the text of the page. */
const PAGE_WIDTH = 120;

function section(name: string, row: Row): string {
  const overrides = overrideNames.filter((one) => one.directive === name);
  const lines = [
    `### ${name}`,
    '',
    `- **syntax**: ${code(syntaxOf(name, row))}`,
    `- **type**: ${typeOf(row)}`,
    `- **default**: ${row.defaultText === '' ? 'none' : code(row.defaultText)}`,
    `- **context**: ${contextsOf(row)}`,
  ];
  for (const { flag, env } of overrides) lines.push(`- **flag, variable**: ${code(flag)}, ${code(env)}`);
  if (row.example !== undefined) lines.push(`- **example**: ${code(row.example)}`);
  lines.push('', ...wrap(row.doc, PAGE_WIDTH));
  if (row.noEffect !== undefined) lines.push('', ...wrap(`**Accepted, no effect**: ${row.noEffect}.`, PAGE_WIDTH));
  return `${lines.join('\n')}\n`;
}

/** What the arguments of a directive are. */
function typeOf({ type }: Row): string {
  if (type.block === true) return type.syntax === '' ? 'a block' : 'a path and a block';
  return type.join === undefined ? type.expected : `${type.expected}; may be repeated`;
}

/** The reference page, in Markdown. */
export function configurationReference(): string {
  const overview = groups.flatMap(({ rows }) =>
    Object.entries(rows).map(([name, row]) => {
      const works = row.noEffect === undefined ? '' : 'accepted, no effect';
      return `| [${name}](#${name}) | ${code(row.defaultText)} | ${works} |`;
    }),
  );
  const head = [
    '## All directives',
    '',
    'All directives work, except for four that are accepted and have no effect.',
    '',
  ];
  const table = [...head, '| directive | default | works |', '|---|---|---|', ...overview, ''].join('\n');
  const parts = groups.map(({ title, rows }) => {
    const sections = Object.entries(rows).map(([name, row]) => section(name, row));
    return `## ${title}\n\n${sections.join('\n')}`;
  });
  return [INTRODUCTION, table, ...parts].join('\n');
}

/** Splits a text into lines of at most `width` characters. */
function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/**
 * The help for the flags of the directives, by group.
 * @param width width of the terminal in columns
 */
export function directiveHelp(width = 100): string {
  const parts = groups.flatMap(({ title, rows }) => {
    const entries = overrideNames.filter(({ directive }) => directive in rows);
    if (entries.length === 0) return [];
    const lines = entries.flatMap(({ flag, row }) => {
      const standard = row.defaultText === '' ? '' : ` [${row.defaultText}]`;
      const noEffect = row.noEffect === undefined ? '' : ' No effect.';
      return [
        `  ${flag} <${row.type.syntax}>${standard}`,
        ...wrap(row.doc + noEffect, width - 8).map((line) => `        ${line}`),
      ];
    });
    return [`${title}:\n${lines.join('\n')}\n`];
  });
  return parts.join('\n');
}
