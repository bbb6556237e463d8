import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { PAGE, Slab, Slabs, type Place } from '../../lib/media/slab.js';

/** Numbers by chance, the same ones each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('a slab', () => {
  it('gives out runs that do not overlap, and joins what comes back', () => {
    const next = random(1);
    const slab = new Slab();
    const owners = new Uint16Array(1024);
    const runs: { at: number; pages: number; owner: number }[] = [];
    for (let owner = 1; owner < 20_000; owner++) {
      if (next() < 0.5 && runs.length > 0) {
        const [run] = runs.splice(Math.floor(next() * runs.length), 1);
        if (run === undefined) continue;
        for (let page = run.at; page < run.at + run.pages; page++) {
          assert.equal(owners[page], run.owner);
          owners[page] = 0;
        }
        slab.giveBack(run.at);
        continue;
      }
      const pages = 1 + Math.floor(next() * 64);
      const at = slab.take(pages);
      if (at === undefined) continue;
      const kept = next() < 0.3 ? 1 + Math.floor(next() * pages) : pages;
      assert.equal(slab.shorten(at, kept), pages - kept);
      for (let page = at; page < at + kept; page++) {
        assert.equal(owners[page], 0);
        owners[page] = owner;
      }
      runs.push({ at, pages: kept, owner });
    }
    assert.equal(
      slab.free,
      owners.reduce((free, owner) => free + (owner === 0 ? 1 : 0), 0),
    );
    for (const { at } of runs) slab.giveBack(at);
    assert.ok(slab.isEmpty);
    // In one piece again.
    assert.equal(slab.take(1024), 0);
  });

  it('takes nothing back twice', () => {
    const slab = new Slab();
    slab.take(3);
    slab.giveBack(0);
    assert.throws(() => slab.giveBack(0), /no run that was taken/);
  });
});

describe('slabs', () => {
  it('are as many as are needed, and go when they were not for a while', (test) => {
    test.mock.timers.enable({ apis: ['setInterval'] });
    const slabs = new Slabs();
    const slab = 4 * 2 ** 20;
    const places: Place[] = Array.from({ length: 40 }, () => slabs.take(64));
    assert.equal(slabs.bytes, 3 * slab);
    assert.equal(slabs.usedBytes, 40 * 64 * PAGE);
    for (const place of places.slice(5)) slabs.giveBack(place);
    test.mock.timers.tick(2000);
    assert.equal(slabs.bytes, 3 * slab);
    test.mock.timers.tick(2000);
    assert.equal(slabs.bytes, slab);
    for (const place of places.slice(0, 5)) slabs.giveBack(place);
    test.mock.timers.tick(4000);
    assert.equal(slabs.bytes, 0);
    assert.equal(slabs.usedBytes, 0);
  });

  it('fill the first ones first', () => {
    const slabs = new Slabs();
    const places = Array.from({ length: 20 }, () => slabs.take(64));
    const [first] = places;
    assert.ok(first !== undefined);
    slabs.giveBack(first);
    assert.deepEqual(slabs.take(10), { slab: first.slab, page: 0 });
  });
});
