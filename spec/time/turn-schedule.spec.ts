import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { turnReport, turnScheduleOf } from '../../lib/time/turn-schedule.js';
import { FakeClock } from '../support/time/fake-clock.js';

const settings = { inReadInterval: 230, outMinProcessDelay: 500, outFlushTimeout: 500, outEarlyRelease: false };

describe('the schedule of turns', () => {
  it('follows the clock that it is given, with one timer for all upstreams', () => {
    const clock = new FakeClock();
    const made: string[] = [];
    for (const name of ['first', 'second']) {
      const { clock: turns } = turnScheduleOf(settings, clock);
      turns.after(1, () => made.push(`${name} at ${clock.now()}`));
    }
    assert.equal(clock.pending, 1);
    clock.advance(230);
    // The turns of the first phase are at whole periods of 230 ms; the next phase is an eighth of that later.
    assert.deepEqual(made, ['second at 28.75', 'first at 230']);
  });

  it('has a scheduler for each clock: what waits on one is not moved by another', () => {
    const [one, other] = [new FakeClock(), new FakeClock()];
    const made: string[] = [];
    turnScheduleOf(settings, one).clock.after(1, () => made.push('one'));
    turnScheduleOf(settings, other).clock.after(1, () => made.push('other'));
    one.advance(1000);
    assert.deepEqual(made, ['one']);
    other.advance(1000);
    assert.deepEqual(made, ['one', 'other']);
  });

  it('has no turns where the settings ask for the least delay', () => {
    const clock = new FakeClock();
    for (const change of [{ outEarlyRelease: true }, { outFlushTimeout: 0 }, { outMinProcessDelay: 17 }]) {
      const all = { ...settings, ...change };
      const schedule = turnScheduleOf(all, clock);
      assert.deepEqual(schedule, {
        clock,
        reading: undefined,
        turnsPerRead: 1,
        flushTimeout: all.outFlushTimeout,
      });
    }
  });

  it('merges in turns, and reads when bytes arrive, with a read interval of 0', () => {
    const clock = new FakeClock();
    const { reading, flushTimeout, clock: turns } = turnScheduleOf({ ...settings, inReadInterval: 0 }, clock);
    assert.equal(reading, undefined);
    assert.equal(flushTimeout, 0);
    assert.notEqual(turns, clock);
  });

  it('adapts the period between two times, and shares the count of sockets between all upstreams', () => {
    const clock = new FakeClock();
    const bounds = { ...settings, inReadInterval: { shortest: 100, longest: 230 } };
    const periods = (): (number | undefined)[] =>
      [bounds, settings].map((one) => turnScheduleOf(one, clock).reading?.period);
    assert.deepEqual(periods(), [100, 230]);
    assert.deepEqual(turnReport(clock), { period: undefined, load: 0 });
    const { reading } = turnScheduleOf(bounds, clock);
    reading?.onTurn(() => {});
    assert.equal(turnReport(clock).period, 100);
    // These have a fixed period, but their reads cost as much.
    for (let i = 0; i < 60; i++) turnScheduleOf(settings, clock).reading?.onTurn(() => {});
    clock.advance(2000);
    assert.deepEqual(periods(), [201.25, 230]);
    assert.equal(turnReport(clock).period, 230);
  });

  it('limits both times by the process delay', () => {
    const period = (inReadInterval: number | { shortest: number; longest: number }, outMinProcessDelay: number) => {
      const clock = new FakeClock();
      const { reading, turnsPerRead } = turnScheduleOf({ ...settings, inReadInterval, outMinProcessDelay }, clock);
      for (let i = 0; i < 60; i++) reading?.onTurn(() => {});
      const first = reading?.period;
      clock.advance(2000);
      return [first, reading?.period, turnsPerRead];
    };
    assert.deepEqual(period({ shortest: 100, longest: 230 }, 200), [92, 92, 1]);
    assert.deepEqual(period({ shortest: 1, longest: 230 }, 500), [8, 201.25, 1]);
    // Two turns to each read.
    assert.deepEqual(period({ shortest: 200, longest: 460 }, 1000), [100, 201.25, 2]);
    assert.deepEqual(period(460, 1000), [230, 230, 2]);
  });
});
