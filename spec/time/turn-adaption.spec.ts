import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TurnScheduler } from '../../lib/time/turn-scheduler.js';
import { FakeClock } from '../support/fake-clock.js';

const BOUNDS = { shortest: 100, longest: 230 };

/** Of the first phase. */
function firstPhase(scheduler: TurnScheduler): ReturnType<TurnScheduler['nextPhase']> {
  const turns = scheduler.nextPhase();
  for (let i = 1; i < 8; i++) scheduler.nextPhase();
  return turns;
}

describe('a turn scheduler with two bounds', () => {
  it('makes turns at the shortest period with few sockets, and longer ones with many', () => {
    const clock = new FakeClock();
    const scheduler = new TurnScheduler(clock, BOUNDS);
    const turns = firstPhase(scheduler);
    const reads: number[] = [];
    const stop = turns.onTurn((now) => reads.push(now));
    clock.advance(1000);
    assert.deepEqual(reads, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    const others = Array.from({ length: 60 }, () => turns.onTurn(() => {}));
    reads.length = 0;
    clock.advance(3000);
    // The end of the next turn sees the new sockets.
    assert.equal(reads[0], 1100);
    for (const [i, at] of reads.entries()) assert.ok(Math.abs(at - (1100 + i * 201.25)) < 0.01, `${at}`);
    for (const leave of others) leave();
    clock.advance(8000);
    assert.equal(turns.period, 100);
    reads.length = 0;
    clock.advance(1000);
    assert.equal(reads.length, 10);
    stop();
    assert.equal(clock.pending, 0);
  });

  it('uses the longest period while turns take much of the time', () => {
    const clock = new SlowClock();
    const scheduler = new TurnScheduler(clock, BOUNDS);
    const turns = firstPhase(scheduler);
    let work = 0;
    const stops = Array.from({ length: 60 }, () => turns.onTurn(() => clock.pass(work)));
    clock.advance(10_000);
    assert.equal(turns.period, 201.25);
    // 180 ms in each period.
    work = 3;
    clock.advance(10_000);
    assert.equal(turns.period, 230);
    work = 0;
    clock.advance(20_000);
    assert.equal(turns.period, 201.25);
    for (const stop of stops) stop();
  });

  it('keeps the order of the phases when the period changes, and leaves none out', () => {
    const clock = new FakeClock();
    const scheduler = new TurnScheduler(clock, BOUNDS);
    const phases = Array.from({ length: 8 }, () => scheduler.nextPhase());
    const reads: [phase: number, at: number][] = [];
    for (const [phase, turns] of phases.entries()) turns.onTurn((now) => reads.push([phase, now]));
    clock.advance(1037);
    for (let i = 0; i < 60; i++) phases[i % 8]?.onTurn(() => {});
    clock.advance(4000);
    for (const [i, [phase, at]] of reads.entries()) {
      const [before, earlier] = reads[i - 1] ?? [phase - 1, at];
      assert.equal(phase, (before + 1) % 8);
      assert.ok(at - earlier <= 201.25 / 8 + 0.01, `${at - earlier} ms between two turns`);
    }
  });

  it('makes no call early when the period changes, and each at the first turn of its phase after its time', () => {
    const clock = new FakeClock();
    const scheduler = new TurnScheduler(clock, BOUNDS);
    const turns = firstPhase(scheduler);
    const reads: number[] = [];
    turns.onTurn((now) => reads.push(now));
    const made: [due: number, at: number][] = [];
    for (let due = 5; due < 2000; due += 35) turns.after(due, () => made.push([due, clock.now()]));
    const cancelled = turns.after(1500, () => assert.fail('it was cancelled'));
    clock.advance(150);
    for (let i = 0; i < 60; i++) turns.onTurn(() => {});
    clock.advance(100);
    cancelled.cancel();
    clock.advance(3000);
    assert.equal(made.length, 57);
    for (const [due, at] of made)
      assert.equal(
        at,
        reads.find((turn) => turn >= due),
      );
  });

  it('goes on with its period after a pause without any turn', () => {
    const clock = new FakeClock();
    const turns = firstPhase(new TurnScheduler(clock, BOUNDS));
    for (const stop of Array.from({ length: 60 }, () => turns.onTurn(() => {}))) stop();
    clock.advance(3_600_000);
    const reads: number[] = [];
    turns.onTurn((now) => reads.push(now));
    clock.advance(500);
    assert.deepEqual(reads, [3_600_100, 3_600_200, 3_600_300, 3_600_400, 3_600_500]);
  });
});

/** A clock whose time also passes while a call is made. */
class SlowClock extends FakeClock {
  private spent = 0;

  override now(): number {
    return super.now() + this.spent;
  }

  pass(ms: number): void {
    this.spent += ms;
  }
}
