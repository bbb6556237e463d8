// Writes docs/configuration.md from the table of directives (run after a build). With --check it writes nothing and fails
// if the page is not what the table says.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { configurationReference } from '../dist/lib/config/reference.js';

const page = new URL('../docs/configuration.md', import.meta.url);
const text = configurationReference();

if (process.argv.includes('--check')) {
  let current = '';
  try {
    current = readFileSync(page, 'utf8');
  } catch {
    // not there: not current
  }
  if (current !== text) {
    console.error('docs/configuration.md is stale; run: npm run reference');
    process.exit(1);
  }
} else {
  mkdirSync(new URL('.', page), { recursive: true });
  writeFileSync(page, text);
}
