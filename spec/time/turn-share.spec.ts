import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { TurnShare, turnShareOf } from '../../lib/time/turn-share.js';
import { systemClock } from '../../lib/time/clock.js';
import { turns } from '../support/time/turns.js';

/** ms; moved by the jobs. */
class Work {
  time = 0;
  readonly done: string[] = [];
  /** What was done in each turn of the event loop. */
  readonly byTurn: string[][] = [];

  now(): number {
    return this.time;
  }

  job(name: string, ms: number): () => void {
    return () => {
      this.time += ms;
      this.done.push(name);
    };
  }

  async watch(count: number): Promise<string[][]> {
    for (let i = 0; i < count; i++) {
      this.byTurn.push(this.done.splice(0));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.byTurn.filter((names) => names.length > 0);
  }
}

describe('TurnShare', () => {
  it('runs jobs at once as long as the budget of the turn suffices, and the others in the next turns, in order', async () => {
    const work = new Work();
    const share = new TurnShare(work, 8);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) share.run(work.job(name, 4));
    assert.deepEqual(await work.watch(8), [
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f'],
    ]);
    share.run(work.job('g', 4));
    assert.deepEqual(work.done, ['g'], 'at once again');
  });

  it('runs one job in a turn that takes longer than the budget', async () => {
    const work = new Work();
    const share = new TurnShare(work, 8);
    for (const name of ['a', 'b', 'c']) share.run(work.job(name, 50));
    assert.deepEqual(await work.watch(8), [['a'], ['b'], ['c']]);
  });

  it('gives jobs a third of a turn that other work makes long', async () => {
    const work = new Work();
    const share = new TurnShare(work, 8);
    for (let i = 0; i < 40; i++) share.run(work.job('job', 4));
    // Other work, before the next turn: what is read.
    work.time += 300;
    const byTurn = (await work.watch(12)).map(({ length }) => length);
    assert.deepEqual(byTurn.slice(0, 3), [2, 26, 9]);
  });

  it('gives each peer that goes on one job in a turn, however fast it is', async () => {
    const work = new Work();
    const share = new TurnShare(work, 8);
    const peer = (name: string, left: number): void => {
      work.done.push(name);
      if (left > 1) share.later(() => peer(name, left - 1));
    };
    share.run(() => peer('a', 3));
    share.run(() => peer('b', 2));
    assert.deepEqual(await work.watch(8), [['a'], ['a', 'b'], ['a', 'b']]);
  });

  it('goes on with the other jobs if one throws', async () => {
    const work = new Work();
    const share = new TurnShare(work, 1);
    const failures: unknown[] = [];
    share.run(work.job('first', 2));
    const parts = share.inParts([1, 2], 1, (item) => {
      if (item === 2) throw new Error('two is bad');
      work.done.push('one');
    });
    share.run(work.job('last', 2));
    await parts.catch((error: unknown) => failures.push(error));
    await turns();
    assert.deepEqual(work.done, ['first', 'one', 'last']);
    assert.match(String(failures[0]), /two is bad/);
  });

  it('handles lists in parts', async () => {
    const work = new Work();
    const share = new TurnShare(work, 8);
    const items = Array.from({ length: 10 }, (_, i) => String(i));
    const whole = share.inParts(items, 3, (item) => work.job(item, 3)());
    const byTurn = await work.watch(10);
    await whole;
    assert.deepEqual(byTurn.flat(), items);
    assert.ok(
      byTurn.every((names) => names.length <= 3),
      JSON.stringify(byTurn),
    );
    await share.inParts([], 3, () => assert.fail('there is nothing'));
  });

  it('is one for each clock', () => {
    assert.equal(turnShareOf(systemClock), turnShareOf(systemClock));
    assert.notEqual(turnShareOf(systemClock), turnShareOf(new Work()));
  });
});
