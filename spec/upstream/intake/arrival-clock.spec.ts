import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Frame } from '../../../lib/media/frame.js';
import { ArrivalClock } from '../../../lib/upstream/intake/arrival-clock.js';

/** Frames of one read, 200 ms after the one before, by their times in ms. */
function read(clock: ArrivalClock, at: number, ...times: number[]): number[] {
  return readSince(clock, at - 200, at, ...times);
}

function readSince(clock: ArrivalClock, since: number, at: number, ...times: number[]): number[] {
  clock.read(at, since);
  return times.map((ms) => clock.estimate(ms));
}

describe('ArrivalClock', () => {
  const anchor = new Frame(0, 0, 0, 0, 1, [Buffer.alloc(1)]);
  anchor.ms = 5000;
  anchor.arrivedAt = 990;

  it('continues from the last frame that was read on time, at the pace of the timestamps', () => {
    const clock = new ArrivalClock(anchor);
    assert.deepEqual(read(clock, 1200, 5040, 5080, 5120), [1030, 1070, 1110]);
    assert.deepEqual(read(clock, 1400, 5240, 5280), [1230, 1270]);
  });

  it('stays within the possible range: between the previous read and this one', () => {
    const clock = new ArrivalClock(anchor);
    assert.deepEqual(read(clock, 1200, 9000), [1200]);
    assert.deepEqual(read(clock, 1400, 9040, 100, 9080), [1240, 1200, 1400]);
  });

  it('does not count a late frame as early: it arrived after the previous read', () => {
    const clock = new ArrivalClock(anchor);
    assert.deepEqual(read(clock, 1200, 5040), [1030]);
    assert.deepEqual(readSince(clock, 2900, 3100, 5080, 5120), [2900, 2940]);
  });

  it('uses the time of the read if there is no earlier frame', () => {
    const clock = new ArrivalClock();
    assert.deepEqual(read(clock, 1200, 70, 110), [1200, 1200]);
  });
});
