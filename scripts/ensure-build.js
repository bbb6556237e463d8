// Builds the project if dist/ is missing or older than the sources, and does nothing otherwise. `npm install` runs it
// (`prepare`), and so does each npm script that needs the build. After `npm ci --ignore-scripts`, the first of these
// scripts builds.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Written last by a successful build, with the time at which the build began. */
const STAMP = 'dist/lib/build-info.json';
const SOURCES = ['lib', 'bin', 'spec', 'bench', 'examples', 'tsconfig.json'];

const built = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs;
if (built === undefined || SOURCES.some((path) => newest(path) > built)) build();

/** The latest change of a file or folder, in ms. That of a folder tells of files that were removed or renamed. */
function newest(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), found.mtimeMs);
}

function build() {
  if (!existsSync('node_modules/typescript')) {
    // `npm install --omit=dev`, or a copy without development packages. What was built before still works.
    if (built !== undefined || process.env.npm_lifecycle_event === 'prepare') return;
    console.error('kmp-rtmp is not built, and the compiler is not installed: run npm install, without --omit=dev');
    process.exit(1);
  }
  const why = built === undefined ? 'there is no build yet' : 'the sources are newer than the build';
  console.error(`building kmp-rtmp, because ${why} (10 to 20 seconds)`);
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}
