// Checks the language of pages, comments and messages: the word list (words.js), the width of lines, the length of
// sentences. Part of `npm run lint`. Arguments: files or folders to check instead of everything, pending.js included.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { TextlintKernel } from '@textlint/kernel';
import markdown from '@textlint/textlint-plugin-markdown';
import terminology from 'textlint-rule-terminology';
import code, { HASH_COMMENTS } from './code.js';
import { PENDING } from './pending.js';
import { lineWidth, sentenceLength } from './rules.js';
import { WORDS } from './words.js';

const SOURCES = ['lib', 'bin', 'bench', 'spec', 'scripts', 'examples', 'packaging', '.ci', '.github'];
const SINGLE = ['Dockerfile', 'compose.yaml'];
const GENERATED = /^(docs\/reference|node_modules|dist)\b/;

/** The word list, with patterns in which a space also matches the line breaks of a comment. */
const terms = WORDS.map(([pattern, instead]) => [pattern.replaceAll(' ', '[\\s*/#]+'), instead]);

const rules = [
  { ruleId: 'words', rule: terminology, options: { defaultTerms: false, terms, skip: [] } },
  { ruleId: 'line-width', rule: lineWidth },
];
/** Comments follow the same word list and width. The length of their sentences is not checked. */
const rulesOf = {
  '.md': [...rules, { ruleId: 'sentence-length', rule: sentenceLength }],
  '.ts': rules,
  '.js': rules,
  [HASH_COMMENTS]: rules,
};
const plugins = [
  { pluginId: 'markdown', plugin: markdown.default ?? markdown },
  { pluginId: 'code', plugin: code },
];

/** Files that are not checked, because they contain the phrases themselves. */
const notProse = new Set([join('scripts', 'prose', 'words.js'), join('spec', 'docs', 'prose.spec.ts')]);

/** The extension by which a file is checked. */
function kindOf(path) {
  return /(\.(ya?ml|service)|^Dockerfile|^\.ci.run)$/.test(path) ? HASH_COMMENTS : extname(path);
}

/** All files that can be checked at or below `path`. */
function filesAt(path) {
  if (statSync(path).isFile()) return notProse.has(path) || rulesOf[kindOf(path)] === undefined ? [] : [path];
  return readdirSync(path).flatMap((name) => (GENERATED.test(join(path, name)) ? [] : filesAt(join(path, name))));
}

const pages = readdirSync('.').filter((name) => name.endsWith('.md'));
const all = [...pages, 'docs', ...SOURCES, ...SINGLE].flatMap(filesAt);
const isPending = (path) => PENDING.some((name) => path === name || path.startsWith(`${name}/`));
const named = process.argv.slice(2);
const files = named.length > 0 ? named.flatMap(filesAt) : all.filter((path) => !isPending(path));

const kernel = new TextlintKernel();
let found = 0;
for (const filePath of files) {
  const ext = kindOf(filePath);
  const options = { filePath, ext, plugins, rules: rulesOf[ext] };
  const { messages } = await kernel.lintText(readFileSync(filePath, 'utf8'), options);
  for (const { line, column, message, ruleId } of messages) {
    console.error(`${filePath}:${line}:${column}  ${message}  (${ruleId})`);
  }
  found += messages.length;
}
if (found > 0) {
  console.error(`${found} phrases, lines or sentences to rewrite; see CONTRIBUTING.md, Language`);
  process.exitCode = 1;
}
