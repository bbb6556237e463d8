import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Ledger } from '../../../lib/upstream/tracks/ledger.js';

describe('the memory limit', () => {
  it('can be used up to the last byte', () => {
    const ledger = new Ledger(1000);
    assert.equal(ledger.charge(999), true);
    assert.equal(ledger.charge(2), false);
    assert.deepEqual([ledger.used, ledger.left], [999, 1]);
    assert.equal(ledger.charge(1), true);
    assert.deepEqual([ledger.used, ledger.left], [1000, 0]);
    ledger.release(600);
    assert.deepEqual([ledger.used, ledger.left], [400, 600]);
  });
});
