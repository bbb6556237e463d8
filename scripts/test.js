// Runs the compiled specs with Node's own test runner. Arguments: parts of file names to run only those
// (`npm test -- kmp merge`). Suites that need programs from outside npm live in spec/external and are run by
// `npm run test:external` (EXTERNAL=1).
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = 'dist/spec';
const only = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const flags = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const external = process.env['EXTERNAL'] === '1';

const files = readdirSync(root, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.spec.js'))
  // A compiled spec whose source has been deleted or renamed does not count.
  .filter((name) => existsSync(join('spec', name.replace(/\.js$/, '.ts'))))
  .filter((name) => name.startsWith('external') === external && !name.startsWith('resilience'))
  .filter((name) => only.length === 0 || only.some((part) => name.includes(part)))
  .map((name) => join(root, name))
  .sort();

if (files.length === 0) {
  console.error(`no spec matches ${only.join(' ')}`);
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  [
    '--enable-source-maps',
    '--import=./scripts/spec-guard.js',
    '--test',
    '--test-timeout=120000',
    '--test-concurrency=2',
    ...(flags.some((flag) => flag.startsWith('--test-reporter')) ? [] : ['--test-reporter=./scripts/spec-reporter.js']),
    ...flags,
    ...files,
  ],
  { stdio: 'inherit', env: { ...process.env, NODE_ENV: 'test' } },
);
process.exit(run.status ?? 1);
