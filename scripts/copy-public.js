// Copies what a browser gets and no compiler makes (html, css, svg) to dist/. Run by `npm run build`.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = 'lib/api/status/public';
mkdirSync(join('dist', folder), { recursive: true });
for (const name of readdirSync(folder)) {
  if (/\.(html|css|svg)$/.test(name)) copyFileSync(join(folder, name), join('dist', folder, name));
}
