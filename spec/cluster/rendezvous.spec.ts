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

  it('takes any text', () => {
    for (const id of ['', '__proto__', '\u0000', 'ä', '💡'.repeat(1000)]) assert.ok([0, 1].includes(slotOf(id, 2)));
  });
});
