import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { AckedBytes } from '../../../lib/rtmp/chunk/acked-bytes.js';

const GB = 2 ** 30;

/**
 * Acknowledges up to `to` in steps of `step`, by a count that `wrap` makes of the true one; `to` is written by then.
 */
function run(acked: AckedBytes, from: number, to: number, step: number, wrap: (bytes: number) => number): void {
  for (let read = from; read <= to; read += step) acked.update(wrap(read), read + 1000);
}

describe('what a server has read', () => {
  it('is what it acknowledges', () => {
    const acked = new AckedBytes();
    acked.update(5000, 9000);
    assert.equal(acked.bytes, 5000);
    acked.update(8000, 9000);
    assert.equal(acked.bytes, 8000);
  });

  it('goes on beyond 4 GiB, where the count is modulo 2^32', () => {
    const acked = new AckedBytes();
    run(acked, 2 ** 20, 9 * GB, 2 ** 20, (read) => read % 2 ** 32);
    assert.equal(acked.bytes, 9 * GB);
  });

  it('follows a count that is modulo 2^31, never too far', () => {
    const acked = new AckedBytes();
    const step = 300_000;
    run(acked, step, 9 * GB, step, (read) => read % 2 ** 31);
    assert.ok(acked.bytes <= 9 * GB && acked.bytes > 9 * GB - 6 * step, String(acked.bytes));
  });

  it("follows a count that begins again at 0xf0000000, as nginx-rtmp's and SRS's do", () => {
    const acked = new AckedBytes();
    const step = 131_072;
    let count = 0;
    let read = 0;
    while (read < 9 * GB) {
      read += step;
      count += step;
      if (count >= 0xf0000000) count = 0;
      acked.update(count, read + 1000);
      assert.ok(acked.bytes <= read);
    }
    assert.ok(acked.bytes >= read - 4 * step, String(read - acked.bytes));
  });

  for (const { what, says } of [
    { what: 'more than was sent', says: 20_001 },
    { what: 'less than before', says: 4000 },
    { what: 'the same as before: bytes since the last time, maybe', says: 5000 },
  ]) {
    it(`is not believed any more from a server that says ${what}`, () => {
      const acked = new AckedBytes();
      acked.update(5000, 9000);
      acked.update(says, 20_000);
      acked.update(6000, 20_000);
      assert.equal(acked.bytes, 5000);
      assert.equal(acked.isBehind(20_000), false);
    });
  }

  it('is behind when an acknowledgement is due and does not come', () => {
    const acked = new AckedBytes();
    acked.expect(10_000);
    assert.equal(acked.isBehind(1_000_000), false, 'it may be a server that does not acknowledge');
    acked.update(10_500, 30_000);
    assert.equal(acked.isBehind(20_999), false);
    assert.equal(acked.isBehind(21_000), true);
    // It has a step of its own.
    acked.update(60_500, 100_000);
    assert.equal(acked.isBehind(110_499), false);
    assert.equal(acked.isBehind(110_500), true);
  });
});
