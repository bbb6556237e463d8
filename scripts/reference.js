// Writes the generated pages (run it after a build): docs/configuration.md from the table of directives, docs/api.md
// from the OpenAPI document, the programs in docs/pipeline.md from examples/, and the number of files of each folder in
// docs/architecture.md. With --check it writes nothing, and fails if a page is not current.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { API_ERRORS } from '../dist/lib/base/api-error.js';
import { openApiDocument } from '../dist/lib/api/openapi/openapi.js';
import { configurationReference } from '../dist/lib/config/reference.js';
import { CLOSE_REASONS } from '../dist/lib/upstream/report/close-reason.js';
import { apiPage } from './api-page.js';
import { wrapped } from './wrap.js';

const docs = new URL('../docs/', import.meta.url);

/** The page with each block of code that begins as an example does replaced by that example as it is now. */
function withExamples(text) {
  return text.replace(/^```ts\n([^]*?)^```\n/gm, (block, code) => {
    const name = /dist\/examples\/([\w-]+)\.js/.exec(code)?.[1];
    if (name === undefined) return block;
    return `\`\`\`ts\n${readFileSync(new URL(`../examples/${name}.ts`, import.meta.url), 'utf8')}\`\`\`\n`;
  });
}

/** The rows of docs/architecture.md for folders of lib/: the folder, the number of its files, the rest of the row. */
const FOLDER = /^\| `(lib\/(?:[\w/-]+\/)?)` \| ([\d ()+]+) \|/gm;

/** The page with the number of files of each folder; `(+N)`: files in sub-folders that have no row of their own. */
function withCounts(text) {
  const listed = new Set([...text.matchAll(FOLDER)].map(([, folder]) => folder));
  return text.replace(FOLDER, (row, folder) => {
    const [direct, below] = countFiles(folder, listed);
    return `| \`${folder}\` | ${below === 0 ? direct : `${direct} (+${below})`} |`;
  });
}

/** How many files lie in a folder, and how many below it in folders that are not `listed`. */
function countFiles(folder, listed) {
  let direct = 0;
  let below = 0;
  for (const entry of readdirSync(new URL(`../${folder}`, import.meta.url), { withFileTypes: true })) {
    if (entry.isFile()) direct++;
    else if (!listed.has(`${folder}${entry.name}/`)) below += sum(countFiles(`${folder}${entry.name}/`, listed));
  }
  return [direct, below];
}

const sum = ([direct, below]) => direct + below;

/** A page as far as it has to be current: a new file in a folder alone does not make one stale. */
const withoutCounts = (text) => text.replace(FOLDER, '| `$1` | |');

const pages = {
  'architecture.md': withCounts(readFileSync(new URL('architecture.md', docs), 'utf8')),
  'configuration.md': wrapped(configurationReference()),
  'api.md': wrapped(apiPage(openApiDocument({ write: true }), CLOSE_REASONS, API_ERRORS)),
  'pipeline.md': withExamples(readFileSync(new URL('pipeline.md', docs), 'utf8')),
};

function current(page) {
  try {
    return readFileSync(new URL(page, docs), 'utf8');
  } catch {
    return '';
  }
}

if (process.argv.includes('--check')) {
  const stale = Object.keys(pages).filter((page) => withoutCounts(current(page)) !== withoutCounts(pages[page]));
  for (const page of stale) console.error(`docs/${page} is stale; run: npm run reference`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  mkdirSync(docs, { recursive: true });
  for (const [page, text] of Object.entries(pages)) writeFileSync(new URL(page, docs), text);
}
