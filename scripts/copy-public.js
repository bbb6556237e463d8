// Copies what a browser gets and no compiler makes (html, css, svg) to dist/. Run by `npm run build`.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const folder = 'lib/api/status/public';
for (const name of readdirSync(folder, { recursive: true }).map(String)) {
  if (!/\.(html|css|svg)$/.test(name)) continue;
  const copy = join('dist', folder, name);
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(join(folder, name), copy);
}
