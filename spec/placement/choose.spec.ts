import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseOwner, type Candidate } from '../../lib/placement/choose.js';
import { rendezvousOrder } from '../../lib/placement/rendezvous.js';

function node(name: string, load = 0, more: Partial<Candidate> = {}): Candidate {
  return { name, load, alive: true, draining: false, ...more };
}

/** The order of these is n2, n4, n3, n1, n5 (rendezvous.spec.ts). */
const ID = 'channel-1';
const names = ['n1', 'n2', 'n3', 'n4', 'n5'];

describe('chooseOwner', () => {
  it('takes the first in rendezvous order', () => {
    assert.equal(
      chooseOwner(
        ID,
        names.map((name) => node(name)),
      ),
      'n2',
    );
  });

  it('passes over nodes that are dead, drain, are excluded or have too much', () => {
    const nodes = [
      node('n1'),
      node('n2', 0, { alive: false }),
      node('n3'),
      node('n4', 0, { draining: true }),
      node('n5'),
    ];
    assert.equal(chooseOwner(ID, nodes), 'n3');
    assert.equal(chooseOwner(ID, nodes, 'n3'), 'n1');
    assert.equal(
      chooseOwner(ID, [node('n1', 100), node('n2', 126), node('n5', 100)]),
      'n2',
      'up to 1.25 times the mean',
    );
    assert.equal(chooseOwner(ID, [node('n1', 100), node('n2', 150), node('n5', 100)]), 'n1');
  });

  it('takes one that drains only if there is no other', () => {
    assert.equal(chooseOwner(ID, [node('n1', 5, { draining: true }), node('n2', 9, { draining: true })]), 'n1');
    assert.equal(chooseOwner(ID, [node('n1', 5, { draining: true }), node('n5', 90)]), 'n5');
  });

  it('knows no owner without nodes', () => {
    assert.equal(chooseOwner(ID, []), undefined);
    assert.equal(chooseOwner(ID, [node('n1', 0, { alive: false })]), undefined);
    assert.equal(chooseOwner(ID, [node('n1')], 'n1'), undefined);
  });

  it('lets two nodes with a few ids follow the order', () => {
    const id = Array.from({ length: 100 }, (_, i) => `id-${i}`).filter(
      (one) => rendezvousOrder(one, ['a', 'b'])[0] === 'a',
    );
    assert.deepEqual(
      id.slice(0, 5).map((one, i) => chooseOwner(one, [node('a', i), node('b')])),
      ['a', 'a', 'a', 'a', 'b'],
    );
  });
});
