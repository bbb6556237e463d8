// Removes from dist/ what was compiled from a source that is gone, so that neither a spec run nor a package holds it. Run by
// `npm run build`, ahead of the compiler.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

if (existsSync('dist')) {
  for (const name of readdirSync('dist', { recursive: true }).map(String)) {
    const source = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(name)?.[1];
    if (source !== undefined && !existsSync(`${source}.ts`)) rmSync(join('dist', name));
  }
}
