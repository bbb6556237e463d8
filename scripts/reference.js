// Writes the pages that are made from code (run after a build): docs/configuration.md from the table of directives,
// docs/api.md from the OpenAPI document, and the programs in docs/pipeline.md from examples/. With --check it writes nothing
// and fails if a page is not current.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { openApiDocument } from '../dist/lib/api/openapi.js';
import { configurationReference } from '../dist/lib/config/reference.js';
import { CLOSE_REASONS } from '../dist/lib/upstream/report/close-reason.js';
import { apiPage } from './api-page.js';

const docs = new URL('../docs/', import.meta.url);

/** The page with each block of code that begins as an example does replaced by that example as it is now. */
function withExamples(text) {
  return text.replace(/^```ts\n([^]*?)^```\n/gm, (block, code) => {
    const name = /dist\/examples\/([\w-]+)\.js/.exec(code)?.[1];
    if (name === undefined) return block;
    return `\`\`\`ts\n${readFileSync(new URL(`../examples/${name}.ts`, import.meta.url), 'utf8')}\`\`\`\n`;
  });
}

const pages = {
  'configuration.md': configurationReference(),
  'api.md': apiPage(openApiDocument({ write: true }), CLOSE_REASONS),
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
  const stale = Object.keys(pages).filter((page) => current(page) !== pages[page]);
  for (const page of stale) console.error(`docs/${page} is stale; run: npm run reference`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  mkdirSync(docs, { recursive: true });
  for (const [page, text] of Object.entries(pages)) writeFileSync(new URL(page, docs), text);
}
