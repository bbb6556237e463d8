import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Slabs, type Place, type Slab } from '../../lib/media/slab.js';
import { FakeClock } from '../support/time/fake-clock.js';

const PAGES = 1024;

/** The first place that fits, found by looking at every page. */
class Model {
  readonly slabs: boolean[][] = [];

  take(pages: number): [slab: number, page: number] {
    for (let slab = 0; ; slab++) {
      const taken = (this.slabs[slab] ??= new Array<boolean>(PAGES).fill(false));
      let run = 0;
      for (let page = 0; page < PAGES; page++) {
        run = taken[page] === true ? 0 : run + 1;
        if (run < pages) continue;
        const first = page - pages + 1;
        taken.fill(true, first, page + 1);
        return [slab, first];
      }
    }
  }

  release(slab: number, from: number, to: number): void {
    this.slabs[slab]?.fill(false, from, to);
  }
}

function take(slabs: Slabs, pages: number): Place {
  const place: Place = { slab: undefined, page: 0 };
  slabs.take(pages, place);
  return place;
}

describe('slabs', () => {
  it('give out the first run that is long enough, whatever was taken, shortened and given back', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      return Math.floor((seed / 0x7fffffff) * below);
    };
    const slabs = new Slabs();
    const model = new Model();
    const known: (Slab | undefined)[] = [];
    const out: { place: Place; slab: number; pages: number }[] = [];
    let used = 0;
    for (let step = 0; step < 6000; step++) {
      // Fuller and emptier in turn.
      if (random(100) < (step % 2000 < 1200 ? 70 : 35) || out.length === 0) {
        const wanted = 1 + random(random(4) === 0 ? 64 : 8);
        const place = take(slabs, wanted);
        if (!known.includes(place.slab)) known.push(place.slab);
        const [slab, page] = model.take(wanted);
        assert.deepEqual([known.indexOf(place.slab), place.page], [slab, page], `step ${step}`);
        const pages = 1 + random(wanted);
        slabs.shorten(place, pages);
        model.release(slab, page + pages, page + wanted);
        out.push({ place, slab, pages });
        used += pages;
      } else {
        const [gone] = out.splice(random(out.length), 1);
        assert.ok(gone);
        slabs.release(gone.place);
        model.release(gone.slab, gone.place.page, gone.place.page + gone.pages);
        used -= gone.pages;
      }
      assert.equal(slabs.usedBytes, used * 4096);
    }
    assert.equal(slabs.bytes, model.slabs.length * PAGES * 4096);
    assert.ok(known.length > 2);
  });

  it('that are not used any more give their memory back without a garbage collection', () => {
    const clock = new FakeClock();
    const slabs = new Slabs(clock);
    const before = process.memoryUsage().arrayBuffers;
    const places = Array.from({ length: 16 }, () => take(slabs, PAGES));
    assert.ok(process.memoryUsage().arrayBuffers - before >= 64 * 2 ** 20);
    for (const place of places) slabs.release(place);
    clock.advance(2000);
    assert.equal(slabs.bytes, 64 * 2 ** 20);
    clock.advance(2000);
    assert.equal(slabs.bytes, 0);
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20);
    // New memory is used as ever.
    const { slab, page } = take(slabs, 3);
    assert.equal(slab?.memory.subarray(page * 4096).fill(7)[8191], 7);
  });

  it('are kept while the need for memory goes up and down, and given back soon after a burst', () => {
    const clock = new FakeClock();
    const slabs = new Slabs(clock);
    const present = (): number => slabs.bytes / (PAGES * 4096);
    const burst = (): void => {
      for (const place of Array.from({ length: 16 }, () => take(slabs, PAGES))) slabs.release(place);
    };
    const least: number[] = [];
    for (let i = 0; i < 8; i++) {
      burst();
      let lowest = Infinity;
      for (let s = 0; s < 8; s += 2) {
        clock.advance(2000);
        lowest = Math.min(lowest, present());
      }
      least.push(lowest);
    }
    // In the first periods they are freed, and then no more.
    assert.equal(least[0], 0);
    assert.deepEqual(least.slice(-4), [16, 16, 16, 16]);
    // No longer than half a minute, when the bursts are over.
    for (let s = 0; s < 34; s += 2) clock.advance(2000);
    assert.equal(present(), 0);
  });
});
