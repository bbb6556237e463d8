import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TurnPace } from '../../lib/time/turn-pace.js';

const BOUNDS = { shortest: 100, longest: 230 };

/** The period after the pace has seen the same load for a long time. */
function settled(sockets: number, load: number, bounds = BOUNDS): number {
  const pace = new TurnPace(bounds);
  for (let now = 0; now <= 60_000; now += 1_000) pace.adapt(sockets, load, now);
  return pace.period;
}

describe('the period of turns', () => {
  it('grows with the number of sockets, and is the longest with very many', () => {
    const periods = [0, 2, 17, 20, 30, 50, 200, 400, 600, 800, 1000, 1001].map((sockets) =>
      Math.round(settled(sockets, 0)),
    );
    assert.deepEqual(periods, [100, 100, 100, 114, 171, 201, 201, 201, 208, 216, 216, 230]);
  });

  it('is the longest one only while turns take much of the time', () => {
    const periods = [0, 0.3, 0.4, 1].map((load) => Math.round(settled(800, load)));
    assert.deepEqual(periods, [216, 216, 230, 230]);
  });

  it('stays the longest one until turns take clearly less of the time', () => {
    const pace = new TurnPace(BOUNDS);
    const periods = [0.3, 0.4, 0.3, 0.3, 0.2, 0.3].map((load, i) => {
      for (let n = 0; n < 10; n++) pace.adapt(800, load, i * 10_000 + n * 1_000);
      return Math.round(pace.period);
    });
    assert.deepEqual(periods, [216, 230, 230, 230, 216, 216]);
  });

  it('stays within its bounds', () => {
    for (const bounds of [BOUNDS, { shortest: 8, longest: 9 }, { shortest: 220, longest: 230 }]) {
      for (const sockets of [0, 1, 10, 100, 10_000]) {
        for (const load of [0, 0.2, 0.45, 1, 5]) {
          const period = settled(sockets, load, bounds);
          assert.ok(period >= bounds.shortest && period <= bounds.longest, `${period} of ${JSON.stringify(bounds)}`);
        }
      }
    }
  });

  it('with two equal bounds is fixed', () => {
    assert.deepEqual(
      [1, 1000].map((sockets) => settled(sockets, 1, { shortest: 60, longest: 60 })),
      [60, 60],
    );
  });

  it('is longer at once, and shorter only after five seconds in a row', () => {
    const pace = new TurnPace(BOUNDS);
    assert.equal(pace.adapt(100, 0, 1_000), true);
    assert.equal(pace.period, 201.25);
    assert.equal(pace.adapt(2, 0, 2_000), false);
    assert.equal(pace.adapt(2, 0, 6_000), false);
    // Meanwhile the sockets are back.
    assert.equal(pace.adapt(100, 0, 6_500), false);
    assert.equal(pace.adapt(2, 0, 7_000), false);
    assert.equal(pace.adapt(2, 0, 11_999), false);
    assert.equal(pace.period, 201.25);
    assert.equal(pace.adapt(2, 0, 12_000), true);
    assert.equal(pace.period, 100);
  });

  it('does not follow a small change', () => {
    const pace = new TurnPace(BOUNDS);
    pace.adapt(20, 0, 0);
    const before = pace.period;
    for (let now = 0; now < 60_000; now += 1_000) {
      assert.equal(pace.adapt(now % 2_000 === 0 ? 21 : 19, 0, now), false);
    }
    assert.equal(pace.period, before);
  });
});
