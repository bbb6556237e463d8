// Removes compiled files from dist/ if their source no longer exists: they would end up in spec runs and the package.
// `npm run build` runs it before the compiler.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

if (existsSync('dist')) {
  for (const name of readdirSync('dist', { recursive: true }).map(String)) {
    const source = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(name)?.[1];
    if (source !== undefined && !existsSync(`${source}.ts`)) rmSync(join('dist', name));
  }
}
