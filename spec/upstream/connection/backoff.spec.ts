import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { Backoff } from '../../../lib/time/backoff.js';
import { reconnectBackoff } from '../../../lib/upstream/connection/backoff.js';

const waits = (backoff: Backoff, count: number): (number | undefined)[] =>
  Array.from({ length: count }, () => backoff.next());

describe('the waits between attempts to connect', () => {
  it('double up to 30 s', () => {
    const backoff = reconnectBackoff(1000, Infinity, () => 0);
    assert.deepEqual(waits(backoff, 8), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('are up to a quarter shorter by chance, never longer', () => {
    let random = 0.5;
    const backoff = reconnectBackoff(1000, Infinity, () => random);
    assert.equal(backoff.next(), 875);
    random = 1;
    assert.equal(backoff.next(), 1500);
  });

  it('begin again after a reset, and end at the limit', () => {
    const backoff = reconnectBackoff(1000, 2, () => 0);
    assert.deepEqual(waits(backoff, 3), [1000, 2000, undefined]);
    backoff.reset();
    assert.deepEqual(waits(backoff, 3), [1000, 2000, undefined]);
  });

  it('never keep the processor busy, and never overflow', () => {
    const eager = reconnectBackoff(0, Infinity, () => 0);
    assert.deepEqual(waits(eager, 3), [50, 100, 200]);
    const patient = reconnectBackoff(60_000, Infinity, () => 0);
    assert.deepEqual(waits(patient, 2), [30_000, 30_000]);
    assert.equal(
      waits(
        reconnectBackoff(1, Infinity, () => 0),
        2000,
      ).at(-1),
      30_000,
    );
  });
});
