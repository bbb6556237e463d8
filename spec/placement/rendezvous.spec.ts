import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rendezvousOrder, slotOf } from '../../lib/placement/rendezvous.js';

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

  // Computed by another implementation (Python) of FNV-1a over UTF-16 units with the final mix of
  // MurmurHash3, for slot and id, and the mix of both hashes (XOR).
  it('gives the same slots on every machine and in every version', () => {
    const slots = (count: number): string =>
      Array.from({ length: 24 }, (_, i) => slotOf(`stream-${i}`, count)).join('');
    assert.equal(slots(2), '100000001110111110110110');
    assert.equal(slots(3), '100002201112111112110110');
    assert.equal(slots(8), '163002754112514717146110');
    assert.deepEqual([slotOf('', 3), slotOf('ünïcødé', 8), slotOf('', 1)], [0, 3, 0]);
  });

  // Computed by the same implementation in Python.
  it('gives the same order of nodes on every machine', () => {
    const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'];
    assert.deepEqual(rendezvousOrder('channel-1', nodes), ['n2', 'n4', 'n3', 'n1', 'n5']);
    assert.deepEqual(rendezvousOrder('channel-2', nodes.toReversed()), ['n2', 'n1', 'n4', 'n5', 'n3']);
    assert.deepEqual(rendezvousOrder('ünïcødé', nodes), ['n1', 'n4', 'n3', 'n2', 'n5']);
    assert.deepEqual(rendezvousOrder('x', []), []);
  });

  it('keeps the order of the other nodes if one is missing', () => {
    const nodes = Array.from({ length: 12 }, (_, i) => `node-${i}`);
    for (const id of ids.slice(0, 200)) {
      const all = rendezvousOrder(id, nodes);
      assert.deepEqual(
        rendezvousOrder(id, nodes.slice(1)),
        all.filter((name) => name !== 'node-0'),
      );
    }
  });

  it('owns within a machine by the same rule as within a fleet', () => {
    const slots = ['0', '1', '2', '3', '4', '5', '6'];
    for (const id of ids.slice(0, 200)) assert.equal(String(slotOf(id, 7)), rendezvousOrder(id, slots)[0]);
  });

  it('takes any text', () => {
    for (const id of ['', '__proto__', '\u0000', 'ä', '💡'.repeat(1000)]) assert.ok([0, 1].includes(slotOf(id, 2)));
  });
});
