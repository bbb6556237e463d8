import { groups } from './directives.js';
import { overrideNames } from './overrides.js';
import { contextName, syntaxOf, type Row } from './row.js';

const INTRODUCTION = `\
# Configuration reference

<!-- Made from the table of directives (lib/config/directives) by scripts/reference.js: edit that, not this. -->

\`kmp-rtmp -c FILE\` reads a file in nginx's syntax; \`kmp-rtmp -t -c FILE\` checks it and exits. With no file, KMP is taken on
127.0.0.1:8005 and HTTP on 127.0.0.1:8001.

## How a file is read

- A directive is a name, its arguments and \`;\`, or a block in braces. \`#\` begins a comment. Arguments with blanks, \`;\` or braces go
  in single or double quotes; within them, and outside, a backslash takes the meaning from a quote or a backslash.
- A directive holds for its block and those within, until one of them gives it anew. Lists (added headers, \`allow\` and \`deny\`,
  routes) are taken from the block around only where the inner block has none of its own.
- An unknown directive that begins with \`kmp_\`, a value of the wrong kind and a directive in the wrong block are errors, with file
  and line. Other directives of nginx that mean nothing here are passed over with one warning for each name. Those that would keep
  clients out of a location (\`auth_basic\`, \`limit_except\`, \`satisfy any\` and the like) are errors: passed over, they would leave it
  open.
- Paths are taken from the folder that the process was started in, except those of \`include\`.

| value | how it is written |
|---|---|
| size | bytes, or with \`k\`, \`m\`, \`g\`: \`4096\`, \`64k\`, \`16m\` |
| msec | numbers with \`ms\`, \`s\`, \`m\`, \`h\`, \`d\`, \`w\`, largest first: \`500ms\`, \`10s\`, \`1h30m\`. Without a unit: seconds, as in nginx |
| num | a whole number |
| str, path, url, token | text; \`""\` is an empty one |

## Flags and environment variables

Most directives are also a flag and an environment variable. The first of these that says something holds:

1. the flag: \`--kmp-rtmp-out-chunk-size 64k\`
2. the variable: \`KMP_RTMP_OUT_CHUNK_SIZE=64k\`; an empty one counts as not set
3. the innermost block of the file that has the directive
4. the default

A flag or variable holds in every block where the directive could stand; those of a location hold where the file has the directive
(\`kmp_rtmp_route\`: where it has \`kmp_rtmp_control\`). Directives with several arguments take them in one value, quoted as in a file; what
may be repeated takes several, separated by \`;\`, and as a flag may also be repeated. Of \`allow\` and \`deny\` given this way, all of
\`allow\` come first. \`--listen\` and \`--http-listen\` need a configuration with one server of that kind.
`;

/** Contexts as a list; `server` alone where no other kind of server could be meant. */
function contextsOf({ contexts }: Row): string {
  const kinds = new Set(contexts.filter((context) => context.endsWith(' server')));
  const names = contexts.map((context) =>
    kinds.size === 1 ? context.replace(/^\w+ server$/, 'server') : contextName(context),
  );
  return names.map((name) => name.replace(/^(\S+)/, '`$1`')).join(', ');
}

function effectOf({ noEffect }: Row): string {
  return noEffect === undefined ? 'works' : 'accepted, no effect';
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

function section(name: string, row: Row): string {
  const overrides = overrideNames.filter((one) => one.directive === name);
  const lines = [
    `### ${name}`,
    '',
    `- **syntax**: ${code(syntaxOf(name, row))}`,
    `- **default**: ${row.defaultText === '' ? 'none' : code(row.defaultText)}`,
    `- **context**: ${contextsOf(row)}`,
  ];
  for (const { flag, env } of overrides) lines.push(`- **flag, variable**: ${code(flag)}, ${code(env)}`);
  lines.push('', row.doc);
  if (row.noEffect !== undefined) lines.push('', `**Accepted, no effect**: ${row.noEffect}.`);
  return `${lines.join('\n')}\n`;
}

/** The reference page, in Markdown. */
export function configurationReference(): string {
  const overview = groups.flatMap(({ rows }) =>
    Object.entries(rows).map(([name, row]) => `| [${name}](#${name}) | ${code(row.defaultText)} | ${effectOf(row)} |`),
  );
  const table = ['## All directives', '', '| directive | default | |', '|---|---|---|', ...overview, ''].join('\n');
  const parts = groups.map(({ title, rows }) => {
    const sections = Object.entries(rows).map(([name, row]) => section(name, row));
    return `## ${title}\n\n${sections.join('\n')}`;
  });
  return [INTRODUCTION, table, ...parts].join('\n');
}

/** Breaks a text into lines of at most `width` characters. */
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
 * Help for the flags that stand for directives, group by group.
 * @param width columns of the terminal
 */
export function directiveHelp(width = 100): string {
  const parts = groups.flatMap(({ title, rows }) => {
    const entries = overrideNames.filter(({ directive }) => directive in rows);
    if (entries.length === 0) return [];
    const lines = entries.flatMap(({ flag, row }) => {
      const standard = row.defaultText === '' ? '' : ` [${row.defaultText}]`;
      const noEffect = row.noEffect === undefined ? '' : ' No effect here.';
      return [
        `  ${flag} <${row.type.syntax}>${standard}`,
        ...wrap(row.doc + noEffect, width - 8).map((line) => `        ${line}`),
      ];
    });
    return [`${title}:\n${lines.join('\n')}\n`];
  });
  return parts.join('\n');
}
