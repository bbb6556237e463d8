/**
 * The fuzzer by hand:
 *
 *     node dist/spec/resilience/fuzz/main.js [--cases 1000000] [--seconds 3600] [--seed 1] [--target kmp]... [--keep]
 *
 * `--cases` and `--seconds` are for all targets together. Crashers go to spec/fixtures/fuzz, with `--keep` an input of
 * each outcome too. Ends with 1 if there was a crasher.
 */
import { parseArgs } from 'node:util';
import { keepInput } from './fixtures.js';
import { runTarget, shareOut } from './run.js';
import { targets } from './targets.js';

/** Most inputs kept of a target by `--keep`, and the longest of them, bytes. */
const KEPT = 24;
const LONGEST_KEPT = 700;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true },
    keep: { type: 'boolean', default: false },
  },
});
const chosen = targets.filter(({ name }) => values.target?.includes(name) ?? true);
const shares = shareOut(chosen, Number(values.cases));
const seconds = Number(values.seconds) / chosen.length;
const column = (value: string | number, width: number): string => String(value).padStart(width);

let all = 0;
let crashers = 0;
console.log(`seed ${values.seed}\ntarget                cases   refused  outcomes  seconds  slowest ms  crashers`);
for (const target of chosen) {
  const tried = await runTarget(target, { cases: shares.get(target) ?? 0, seconds, seed: Number(values.seed) });
  all += tried.cases;
  crashers += tried.crashers.length;
  const numbers = [column(tried.cases, 9), column(tried.refused, 10), column(tried.outcomes.size, 10)];
  numbers.push(
    column(tried.seconds.toFixed(1), 9),
    column(tried.slowest.toFixed(0), 12),
    column(tried.crashers.length, 10),
  );
  console.log(`${target.name.padEnd(18)}${numbers.join('')}`);
  // The same fault is shown, and kept, once.
  for (const { input, error } of new Map(
    tried.crashers.map((one) => [one.error.replaceAll(/\d+/g, '#'), one]),
  ).values()) {
    console.log(`  ${error}\n  ${input.toString('base64').slice(0, 400)}`);
    keepInput(target.name, input, `fault: ${error.split('\n', 1)[0]}`);
  }
  if (!values.keep) continue;
  const short = [...tried.outcomes].filter(([, input]) => input.length <= LONGEST_KEPT);
  for (const [outcome, input] of short.slice(-KEPT)) keepInput(target.name, input, outcome);
}
console.log(`${all} cases, ${crashers} crashers`);
process.exitCode = crashers === 0 ? 0 : 1;
