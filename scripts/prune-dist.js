// Removes compiled files from dist/ if their source no longer exists: they would end up in spec runs and the package.
// `npm run build` runs it before the compiler. The file that it writes has the time at which the build began: a source
// that changes during the build is newer (scripts/build-info.js, scripts/ensure-build.js).
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

mkdirSync('dist', { recursive: true });
for (const name of readdirSync('dist', { recursive: true }).map(String)) {
  const source = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(name)?.[1];
  if (source !== undefined && !existsSync(`${source}.ts`)) rmSync(join('dist', name));
}
writeFileSync('dist/build-began', '');
