/**
 * `npm run bench -- [options]`: measures the service under live load beside a plain relay and the floor, the least
 * that Node could do (bench/floor), in processes of their own.
 * Prints a table; writes results.json and chart.svg. Ends by itself; exit 1 if a frame was lost or damaged.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { chooseCases, CASES, TARGETS, type Case, type Target } from './cases.js';
import { chart } from './chart.js';
import { giveUp, readOptions } from './options.js';
import { table } from './report.js';
import { failed, medianRun, type Results, type Row, type Run } from './result.js';
import { runCase } from './run.js';

const HELP = `npm run bench -- [options]
  --case NAME        one case, or the cases that begin with NAME- ; may be repeated. Default: all but soak
                     (${CASES.map((one) => one.name).join(' ')})
                     floor: all cases with the floor, the least that Node could do, beside the service
  --target NAME      relay, service or floor; may be repeated. Default: what the case names
  --seconds N        counted seconds a run, after the warm-up. Default 10
  --repeat N         runs of each target, taken in turn; the median counts. Default 3, growth, start and workers 1
  --heap             after the count, samples for 5 s what the JavaScript heap allocates (MB a second, and where)
  --set "LINE;"      a directive for the service's server block; may be repeated
  --command WORDS    the service; {conf} is its configuration file. Default: node dist/bin/kmp-rtmp.js -c {conf}
  --out DIR          where results.json and chart.svg go. Default bench-out
`;

const options = readOptions('bench', {
  options: {
    case: { type: 'string', multiple: true, default: [] },
    target: { type: 'string', multiple: true, default: [] },
    seconds: { type: 'string' },
    repeat: { type: 'string' },
    heap: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
    command: { type: 'string', default: `${process.execPath} dist/bin/kmp-rtmp.js -c {conf}` },
    out: { type: 'string', default: 'bench-out' },
    help: { type: 'boolean', default: false },
  },
});

const DEFAULT_SECONDS = 10;
const DEFAULT_REPEAT = 3;

function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} ${text}: a whole number from 1 is expected`);
}

function named(targets: readonly string[]): Target[] | undefined {
  return targets.length === 0
    ? undefined
    : targets.map((target) => {
        const found = TARGETS.find((one) => one === target);
        if (found !== undefined) return found;
        throw new Error(`--target ${target}: relay, service or floor is expected`);
      });
}

async function runRows(one: Case): Promise<Row[]> {
  const runs = new Map((named(options.target) ?? one.targets).map((target): [Target, Run[]] => [target, []]));
  const seconds = count('seconds', options.seconds) ?? one.seconds ?? DEFAULT_SECONDS;
  const repeat = count('repeat', options.repeat) ?? one.repeat ?? DEFAULT_REPEAT;
  const settings = { seconds, command: options.command.split(' '), directives: options.set, heap: options.heap };
  for (let turn = 0; turn < repeat; turn++) {
    for (const [target, done] of runs) {
      const run = await runCase(one, target, settings);
      done.push(run);
      console.error(`${one.name} ${target} ${turn + 1}/${repeat}: ${run.cpuPercent.toFixed(1)} %, lost ${run.lost}`);
    }
  }
  const { name, title, plan, workers } = one;
  return [...runs].map(([target, done]): Row => {
    return { case: name, title, target, upstreams: plan.upstreams, workers, median: medianRun(done), runs: done };
  });
}

/** Of the working copy that is measured; a `+` marks changes that are in no commit. */
function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? '+' : '');
  } catch {
    return 'unknown';
  }
}

async function main(): Promise<void> {
  const cases = chooseCases(options.case);
  // A wrong folder must not cost a whole run.
  mkdirSync(options.out, { recursive: true });
  const rows: Row[] = [];
  for (const one of cases) rows.push(...(await runRows(one)));
  const results: Results = {
    format: 1,
    date: new Date().toISOString(),
    commit: commit(),
    node: process.versions.node,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    seconds: count('seconds', options.seconds) ?? DEFAULT_SECONDS,
    command: options.command.replace(process.execPath, 'node'),
    directives: options.set,
    rows,
  };
  writeFileSync(join(options.out, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(join(options.out, 'chart.svg'), chart(results));
  console.log(table(results));
  process.exitCode = rows.some(({ runs }) => runs.some(failed)) ? 1 : 0;
}

if (options.help) {
  console.log(HELP);
} else {
  await main().catch((error: unknown) => giveUp('bench', error));
}
process.exit();
