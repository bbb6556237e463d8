import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { grouped } from '../lib/clock.js';
import { FakeClock } from './support/fake-clock.js';

describe('a clock whose timers go off together', () => {
  it('makes calls on its grid, never early, those of one point with one timer', () => {
    const clock = new FakeClock();
    const grid = grouped(clock, 100, 20);
    const made: string[] = [];
    for (const ms of [1, 20, 21, 120, 121]) grid.after(ms, () => made.push(`${ms} at ${clock.now()}`));
    assert.equal(clock.pending, 3);
    clock.advance(1000);
    assert.deepEqual(made, ['1 at 20', '20 at 20', '21 at 120', '120 at 120', '121 at 220']);
  });

  it('makes no call that was cancelled, by another of the same point either', () => {
    const clock = new FakeClock();
    const grid = grouped(clock, 100);
    const made: number[] = [];
    grid.after(50, () => {
      made.push(1);
      second.cancel();
      grid.after(0, () => made.push(3));
    });
    const second = grid.after(60, () => made.push(2));
    clock.advance(1000);
    assert.deepEqual(made, [1, 3]);
  });

  it('keeps nothing alive for calls that were all cancelled', () => {
    const clock = new FakeClock();
    const grid = grouped(clock, 100);
    const [one, two] = [grid.after(3_600_000, () => {}), grid.after(3_600_000, () => {})];
    one.cancel();
    one.cancel();
    assert.equal(clock.pending, 1);
    two.cancel();
    assert.equal(clock.pending, 0);
  });
});
