// Runs the compiled specs with Node's own test runner. Arguments: parts of file names to run only those
// (`npm test -- kmp merge`), or paths (`npm test -- spec/kmp/decoder.spec.ts`). Suites that need programs from outside
// npm live in spec/external and are run by `npm run test:external`; those that take their time in spec/resilience, by
// `npm run test:resilience`: SUITE names the folder. KMP_RTMP_NODE_INTERNALS=off runs them all without what Node does
// not document.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = 'dist/spec';
const only = process.argv
  .slice(2)
  .filter((arg) => !arg.startsWith('--'))
  // A path of a source, as editors and shells complete it.
  .map((arg) => arg.replace(/^(\.\/)?(dist\/)?spec\//, '').replace(/\.ts$/, '.js'));
const flags = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const suite = process.env['EXTERNAL'] === '1' ? 'external' : (process.env['SUITE'] ?? '');
// Without the internals of Node, one process does all the work: there are no workers (docs/running.md).
const hasWorkers = process.env['KMP_RTMP_NODE_INTERNALS'] !== 'off';
const isResilience = suite === 'resilience';
// Resilience measures the service, so its files run one after the other. External programs use much of the machine. All
// other files mostly wait for sockets and processes: one more than there are processors keeps these busy.
const concurrency = { resilience: 1, external: 2 }[suite] ?? Math.min(8, availableParallelism() + 1);
// ms for a file. The long forms of the resilience suite take hours; one external spec has a timeline of two minutes.
const timeout = isResilience ? 7_200_000 : suite === 'external' ? 300_000 : 120_000;

const files = readdirSync(root, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.spec.js'))
  // A compiled spec whose source has been deleted or renamed does not count.
  .filter((name) => existsSync(join('spec', name.replace(/\.js$/, '.ts'))))
  .filter((name) => suite === (/^(external|resilience)(?=[/\\])/.exec(name)?.[0] ?? ''))
  .filter((name) => hasWorkers || !/^cluster[/\\]/.test(name))
  .filter((name) => only.length === 0 || only.some((part) => name.includes(part)))
  .map((name) => join(root, name))
  .sort();
// The longest external spec, a timeline of two minutes, mostly waits: the others run beside it.
const longest = files.indexOf(join(root, 'external', 'timeline.spec.js'));
if (longest > 0) files.unshift(...files.splice(longest, 1));

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
    `--test-timeout=${timeout}`,
    `--test-concurrency=${concurrency}`,
    ...(flags.some((flag) => flag.startsWith('--test-reporter')) ? [] : ['--test-reporter=./scripts/spec-reporter.js']),
    ...flags,
    ...files,
  ],
  {
    stdio: 'inherit',
    env: { SPEC_FILE_TIMEOUT: String(timeout + 30_000), ...process.env, NODE_ENV: 'test' },
  },
);
process.exit(run.status ?? 1);
