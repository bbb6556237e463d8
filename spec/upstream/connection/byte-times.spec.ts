import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { ByteTimes } from '../../../lib/upstream/connection/delivery/byte-times.js';

describe('when the bytes of a connection arrived', () => {
  it('is proportional within a batch, and unknown behind the last one', () => {
    const times = new ByteTimes();
    times.push(100, 200, 1000, 1040);
    times.push(200, 300, 1050, 1050);
    assert.equal(times.arrivalOf(0), 1000);
    assert.equal(times.arrivalOf(150), 1020);
    assert.equal(times.arrivalOf(200), 1050);
    assert.equal(times.arrivalOf(300), undefined);
    times.forget(200);
    assert.equal(times.arrivalOf(0), 1050);
    times.forget(300);
    assert.equal(times.arrivalOf(0), undefined);
  });

  it('is right for thousands of batches, whether the server follows or not', () => {
    for (const behind of [0, 3, 100, 500, 5000]) {
      const times = new ByteTimes();
      // Each batch has 10 bytes and 10 ms.
      for (let i = 0; i < 5000; i++) {
        times.push(i * 10, i * 10 + 10, i * 10, i * 10 + 10);
        times.forget((i - behind) * 10);
        const oldest = Math.max(0, i - behind) * 10;
        assert.equal(times.arrivalOf(oldest), oldest, `${behind} behind, at ${i}`);
        assert.equal(times.arrivalOf(i * 10 + 5), i * 10 + 5);
        assert.equal(times.arrivalOf(i * 10 + 10), undefined);
      }
    }
  });
});
