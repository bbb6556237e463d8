import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TurnScheduler } from '../../lib/time/turn-scheduler.js';
import { CountingClock, FakeClock } from '../support/time/fake-clock.js';

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
    for (const [i, [phase]] of reads.entries()) assert.equal(phase, ((reads[i - 1]?.[0] ?? 0) + 1) % 8);
    for (let phase = 0; phase < 8; phase++) {
      const times = reads.flatMap(([of, at]) => (of === phase ? [at] : []));
      // At the change, a phase may also wait for the last of those that share its turn.
      for (const [i, at] of times.entries()) assert.ok(at - (times[i - 1] ?? at) <= 201.25 + 3 * 25.16, `${at}`);
    }
  });

  it('lets up to four phases share a turn of the event loop while there are few sockets', () => {
    const clock = new CountingClock();
    const scheduler = new TurnScheduler(clock, { shortest: 80, longest: 80 });
    const phases = Array.from({ length: 8 }, () => scheduler.nextPhase());
    const reads: string[] = [];
    for (const [phase, turns] of phases.entries()) turns.onTurn((now) => reads.push(`${phase} at ${now}`));
    clock.advance(80);
    reads.length = 0;
    clock.advance(80);
    assert.deepEqual(reads, [
      ...[1, 2, 3, 4].map((phase) => `${phase} at 120`),
      ...[5, 6, 7, 0].map((phase) => `${phase} at 160`),
    ]);
    const fired = (sockets: number): number => {
      const stops = Array.from({ length: sockets - 8 }, (_, i) => phases[i % 8]?.onTurn(() => {}));
      clock.advance(160);
      clock.fired = 0;
      clock.advance(800);
      for (const stop of stops) stop?.();
      return clock.fired / 10;
    };
    assert.deepEqual([8, 400, 401, 800, 801, 2000, 720, 300].map(fired), [2, 2, 4, 4, 8, 8, 4, 2]);
  });

  it('makes turns for each phase alone while a socket is read at all of them', () => {
    const clock = new CountingClock();
    const scheduler = new TurnScheduler(clock, { shortest: 80, longest: 80 });
    const turns = firstPhase(scheduler);
    const reads: number[] = [];
    turns.onTurn((now) => reads.push(now));
    clock.advance(160);
    const early: number[] = [];
    const stop = turns.onEveryPhase((now) => early.push(now));
    clock.advance(80);
    stop();
    assert.deepEqual(early, [170, 180, 190, 200, 210, 220, 230, 240]);
    assert.deepEqual(reads, [80, 160, 240]);
  });

  it('makes no call early when the period changes, and each at the first turn of its phase after its time', () => {
    for (let phase = 0; phase < 8; phase++) {
      const clock = new FakeClock();
      const scheduler = new TurnScheduler(clock, BOUNDS);
      const phases = Array.from({ length: 8 }, () => scheduler.nextPhase());
      const turns = phases[phase] ?? scheduler.nextPhase();
      const reads: number[] = [];
      turns.onTurn((now) => reads.push(now));
      const made: [due: number, at: number][] = [];
      const stop = turns.onTurn(() => {
        const now = clock.now();
        if (now < 2000) turns.after(100, () => made.push([now + 100, clock.now()]));
      });
      for (let due = 5; due < 2000; due += 35) turns.after(due, () => made.push([due, clock.now()]));
      const cancelled = turns.after(1500, () => assert.fail('it was cancelled'));
      clock.advance(150);
      for (let i = 0; i < 60; i++) turns.onTurn(() => {});
      clock.advance(100);
      cancelled.cancel();
      clock.advance(500);
      // New sockets: the phases no longer share turns of the event loop.
      const early = turns.onEveryPhase(() => {});
      clock.advance(300);
      early();
      clock.advance(3000);
      stop();
      assert.ok(made.length >= 65, `${made.length}`);
      for (const [due, at] of made)
        assert.equal(
          at,
          reads.find((turn) => turn >= due - 1),
          `due ${due}, phase ${phase}`,
        );
    }
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
