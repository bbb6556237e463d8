import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { backoffDelay } from '../../../lib/upstream/destination/backoff.js';

const waits = (interval: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => backoffDelay(i + 1, interval, () => 0));

describe('the waits between attempts to connect', () => {
  it('double up to 30 s', () => {
    assert.deepEqual(waits(1000, 8), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('are up to a quarter shorter by chance, never longer', () => {
    assert.equal(
      backoffDelay(1, 1000, () => 0.5),
      875,
    );
    assert.equal(
      backoffDelay(2, 1000, () => 1),
      1500,
    );
  });

  it('never keep the processor busy, and never overflow', () => {
    assert.deepEqual(waits(0, 3), [50, 100, 200]);
    assert.deepEqual(waits(60_000, 2), [30_000, 30_000]);
    assert.equal(waits(1, 2000).at(-1), 30_000);
  });
});
