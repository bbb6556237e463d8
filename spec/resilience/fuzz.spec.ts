/**
 * The parsers under changed and made up input, in threads of their own. Short form: 60 s in all. Long form:
 * `FUZZ_CASES=1000000 FUZZ_SECONDS=3600`; by hand and with a table: dist/spec/resilience/fuzz/main.js. FUZZ_SEED is the
 * day's unless given, so that CI does not try the same every day.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runTarget, shareOut } from './fuzz/run.js';
import { targets } from './fuzz/targets.js';

const cases = Number(process.env['FUZZ_CASES'] ?? 20_000_000);
const seconds = Number(process.env['FUZZ_SECONDS'] ?? 60) / targets.length;
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Date.now() / 86_400_000));

describe(`changed input, seed ${seed}`, () => {
  const shares = shareOut(targets, cases);
  for (const target of targets) {
    it(`${target.name}: a result or a clear error`, async () => {
      const tried = await runTarget(target, { cases: shares.get(target) ?? 0, seconds, seed });
      const faults = tried.crashers.map(({ input, error }) => `${error}\n${input.toString('base64')}`);
      assert.deepEqual(faults, []);
      assert.ok(tried.cases > 0 && tried.outcomes.size > 0);
    });
  }
});
