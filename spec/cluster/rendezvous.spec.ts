import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { slotOf } from '../../lib/cluster/rendezvous.js';

const ids = Array.from({ length: 4000 }, (_, i) => `channel-${i}`);

describe('slotOf', () => {
  it('gives every slot its share', () => {
    const counts = [0, 0, 0, 0];
    for (const id of ids) counts[slotOf(id, 4)] = (counts[slotOf(id, 4)] ?? 0) + 1;
    for (const count of counts) assert.ok(count > 850 && count < 1150, `${count} of 4000 in one of 4 slots`);
  });

  it('moves only what a further slot takes over', () => {
    for (const id of ids) {
      const before = slotOf(id, 3);
      const after = slotOf(id, 4);
      assert.ok(after === before || after === 3);
    }
  });

  // Computed by another implementation (Python) of FNV-1a over UTF-16 units with the final mix of MurmurHash3.
  it('gives the same slots on every machine and in every version', () => {
    const slots = (count: number): string =>
      Array.from({ length: 24 }, (_, i) => slotOf(`stream-${i}`, count)).join('');
    assert.equal(slots(2), '110010101110111110100101');
    assert.equal(slots(3), '210012201110122210102121');
    assert.equal(slots(8), '513412406130123265332421');
    assert.deepEqual([slotOf('', 3), slotOf('ünïcødé', 8), slotOf('', 1)], [2, 6, 0]);
  });

  it('takes any text', () => {
    for (const id of ['', '__proto__', '\u0000', 'ä', '💡'.repeat(1000)]) assert.ok([0, 1].includes(slotOf(id, 2)));
  });
});
