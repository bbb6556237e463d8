/**
 * What the fuzzer (spec/resilience/fuzz) found worth keeping, tried again: faults that were mended, and rare outcomes.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keptInputs } from '../resilience/fuzz/fixtures.js';
import { tryInput } from '../resilience/fuzz/fuzz-target.js';
import { targets } from '../resilience/fuzz/targets.js';

describe('kept inputs of the fuzzer', () => {
  for (const target of targets) {
    it(`${target.name}: a result or a clear error for each`, async () => {
      await target.open?.();
      const whole = [];
      for (const input of target.seeds()) whole.push(await tryInput(target, input));
      assert.ok(
        whole.some((outcome) => !outcome.includes('refused')),
        'what is right is not refused',
      );
      for (const input of keptInputs(target.name)) assert.equal(typeof (await tryInput(target, input)), 'string');
      await target.close?.();
    });
  }
});
