import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deadline } from '../../lib/time/deadline.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { turns } from '../support/time/turns.js';

describe('the deadline for an answer', () => {
  it('is over after its time, once the process has read what has arrived', async () => {
    const clock = new FakeClock();
    let over = 0;
    deadline(clock, 300, () => over++);
    clock.advance(299);
    await turns();
    assert.equal(over, 0);
    clock.advance(1);
    await Promise.resolve();
    assert.equal(over, 0);
    await turns();
    assert.equal(over, 1);
    assert.equal(clock.pending, 0);
  });

  it('is not over if what it waits for is read right after its time', async () => {
    const clock = new FakeClock();
    let over = 0;
    const cancel = (): void => timer.cancel();
    const timer = deadline(clock, 300, () => over++);
    clock.advance(300);
    cancel();
    await turns();
    clock.advance(1000);
    assert.equal(over, 0);
    assert.equal(clock.pending, 0);
  });

  it('gives the time back for which the process was held up, once, and no more than itself', async () => {
    const clock = new FakeClock();
    let over = 0;
    deadline(clock, 300, () => over++);
    clock.jump(500);
    clock.advance(0);
    await turns();
    assert.equal(over, 0);
    clock.advance(199);
    await turns();
    assert.equal(over, 0);
    clock.advance(1);
    await turns();
    assert.equal(over, 1);

    deadline(clock, 300, () => over++);
    clock.jump(60_000);
    clock.advance(0);
    clock.jump(60_000);
    clock.advance(0);
    await turns();
    assert.equal(over, 2);
  });
});
