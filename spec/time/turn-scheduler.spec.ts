import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { TurnScheduler } from '../../lib/time/turn-scheduler.js';
import { CountingClock, FakeClock } from '../support/time/fake-clock.js';

describe('TurnScheduler', () => {
  it('makes calls at the turns of their phase, never early, those of one turn with one timer', () => {
    const clock = new FakeClock();
    const scheduler = new TurnScheduler(clock, 80);
    const turns = scheduler.nextPhase();
    const made: string[] = [];
    for (const ms of [1, 79, 80, 81, 160]) turns.after(ms, () => made.push(`${ms} at ${clock.now()}`));
    assert.equal(clock.pending, 1);
    clock.advance(1000);
    assert.deepEqual(made, ['1 at 80', '79 at 80', '80 at 80', '81 at 160', '160 at 160']);
    assert.equal(clock.pending, 0);
  });

  it('has eight phases, an eighth of its period apart', () => {
    const clock = new FakeClock();
    const scheduler = new TurnScheduler(clock, 80);
    const made: number[] = [];
    for (let i = 0; i < 9; i++) scheduler.nextPhase().after(1, () => made.push(clock.now()));
    clock.advance(1000);
    assert.deepEqual(made, [10, 20, 30, 40, 50, 60, 70, 80, 80]);
  });

  it('reads at each turn, ahead of what waits for it', () => {
    const clock = new FakeClock();
    const turns = new TurnScheduler(clock, 80).nextPhase();
    const made: string[] = [];
    turns.after(80, () => made.push(`call ${clock.now()}`));
    const stop = turns.onTurn((now) => made.push(`read ${now}`));
    clock.advance(160);
    stop();
    clock.advance(1000);
    assert.deepEqual(made, ['read 80', 'call 80', 'read 160']);
    assert.equal(clock.pending, 0);
  });

  it('does all that one upstream has to do before the next one has its turn', () => {
    const clock = new FakeClock();
    const scheduler = new TurnScheduler(clock, 80);
    const [one, ...others] = Array.from({ length: 9 }, () => scheduler.nextPhase());
    const two = others.at(-1);
    const made: string[] = [];
    one?.onTurn(() => made.push('read one'));
    two?.onTurn(() => made.push('read two'));
    one?.after(1, () => made.push('merge one'));
    two?.after(1, () => made.push('merge two'));
    clock.advance(80);
    assert.deepEqual(made, ['read one', 'merge one', 'read two', 'merge two']);
  });

  it('makes the other turns when an upstream leaves during one, and none for it any more', () => {
    const clock = new FakeClock();
    const scheduler = new TurnScheduler(clock, 80);
    const made: string[] = [];
    const upstreams = Array.from({ length: 24 }, (_, i) => ({ name: i, turns: scheduler.nextPhase() }));
    const [a, b, c] = upstreams.filter(({ name }) => name % 8 === 0);
    const stops = [a, b, c].map((one) => one?.turns.onTurn(() => made.push(`read ${one.name}`)));
    const call = b?.turns.after(1, () => made.push('merge 8'));
    a?.turns.after(1, () => {
      stops[0]?.();
      stops[1]?.();
      call?.cancel();
    });
    clock.advance(160);
    assert.deepEqual(made, ['read 0', 'read 16', 'read 16']);
    stops[2]?.();
    assert.equal(clock.pending, 0);
    // It may come back.
    a?.turns.after(1, () => made.push('merge 0'));
    clock.advance(80);
    assert.equal(made.at(-1), 'merge 0');
  });

  it('calls each of very many such listeners twice in a period, a part of them in each turn', () => {
    const clock = new FakeClock();
    const turns = new TurnScheduler(clock, 200);
    const calls = new Array<number>(1000).fill(0);
    const byTurn = new Map<number, number>();
    for (let i = 0; i < calls.length; i++) {
      turns.nextPhase().onEveryPhase((now) => {
        calls[i] = (calls[i] ?? 0) + 1;
        byTurn.set(now, (byTurn.get(now) ?? 0) + 1);
      });
    }
    for (let i = 0; i < 10; i++) clock.advance(200);
    assert.deepEqual([...new Set(calls)], [20]);
    assert.ok(Math.max(...byTurn.values()) <= 250, `${Math.max(...byTurn.values())} in one turn`);
    // A slow event loop misses all turns but one of each period: nobody is left out.
    calls.fill(0);
    for (let i = 0; i < 8; i++) {
      clock.jump(200);
      clock.advance(0);
    }
    assert.deepEqual([...new Set(calls)], [2]);
  });

  it('calls a listener at every phase if asked, eight times as often', () => {
    const clock = new FakeClock();
    const turns = new TurnScheduler(clock, 80).nextPhase();
    const made: number[] = [];
    const stop = turns.onEveryPhase((now) => made.push(now));
    clock.advance(35);
    stop();
    clock.advance(100);
    assert.deepEqual(made, [10, 20, 30]);
    assert.equal(clock.pending, 0);
  });

  it('makes up for the turns that it missed, each phase once', () => {
    const clock = new StandingClock();
    const scheduler = new TurnScheduler(clock, 80);
    const reads: number[] = [];
    const phases = Array.from({ length: 8 }, () => scheduler.nextPhase());
    phases.forEach((turns, i) => turns.onTurn(() => reads.push(i)));
    const calls: number[] = [];
    phases[3]?.after(100, () => calls.push(clock.now()));
    clock.standStill(2005);
    assert.deepEqual([...reads].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(calls, [2005]);
    reads.length = 0;
    clock.advance(15);
    assert.deepEqual(reads, [1, 2]);
  });

  it('wakes up once for each turn, whatever waits for that', () => {
    const clock = new CountingClock();
    const turns = new TurnScheduler(clock, 80).nextPhase();
    const made: number[] = [];
    const again = (): void => {
      made.push(clock.now());
      turns.after(1, again);
    };
    turns.after(1, again);
    clock.advance(800);
    assert.equal(made.length, 10);
    assert.equal(clock.fired, 10);
  });

  it('leaves no turn out that comes while another one is made', () => {
    const clock = new StandingClock();
    const scheduler = new TurnScheduler(clock, 80);
    const [first, second] = [scheduler.nextPhase(), scheduler.nextPhase()];
    const reads: string[] = [];
    first.onTurn(() => {
      reads.push('first');
      clock.pass(12);
    });
    second.onTurn(() => reads.push('second'));
    first.after(1, () => {});
    clock.advance(100);
    assert.deepEqual(reads.slice(0, 3), ['second', 'first', 'second']);
  });

  it('waits on if its timer goes off early', () => {
    const clock = new EarlyClock();
    const made: number[] = [];
    new TurnScheduler(clock, 80).nextPhase().after(80, () => made.push(clock.now()));
    clock.advance(1000);
    assert.deepEqual(made, [80]);
  });

  it('makes no call that was cancelled, by another of the same turn either', () => {
    const clock = new FakeClock();
    const turns = new TurnScheduler(clock, 80).nextPhase();
    const made: number[] = [];
    turns.after(50, () => {
      made.push(1);
      second.cancel();
      turns.after(0, () => made.push(3));
    });
    const second = turns.after(60, () => made.push(2));
    clock.advance(1000);
    assert.deepEqual(made, [1, 3]);
  });

  it('keeps nothing alive for calls that were all cancelled', () => {
    const clock = new FakeClock();
    const turns = new TurnScheduler(clock, 80).nextPhase();
    const [one, two] = [turns.after(3_600_000, () => {}), turns.after(3_600_000, () => {})];
    one.cancel();
    one.cancel();
    assert.equal(clock.pending, 1);
    two.cancel();
    assert.equal(clock.pending, 0);
  });

  it('goes on when a call throws', () => {
    const clock = new FakeClock();
    const turns = new TurnScheduler(clock, 80).nextPhase();
    const made: number[] = [];
    turns.onTurn((now) => made.push(now));
    turns.after(80, () => {
      throw new Error('a call that fails');
    });
    turns.after(80, () => made.push(1));
    assert.throws(() => clock.advance(100), /a call that fails/);
    clock.advance(200);
    assert.deepEqual(made, [80, 160, 1, 240]);
  });
});

/** A clock whose time can pass while nothing runs, as when the event loop is busy. */
class StandingClock extends FakeClock {
  private skipped = 0;

  override now(): number {
    return super.now() + this.skipped;
  }

  pass(ms: number): void {
    this.skipped += ms;
  }

  standStill(ms: number): void {
    const next = this.untilNext;
    this.skipped = ms - next;
    this.advance(next);
  }
}

/** A clock whose timers go off five ms too early at first. */
class EarlyClock extends FakeClock {
  override after(ms: number, fn: () => void): ReturnType<FakeClock['after']> {
    return super.after(ms > 10 ? ms - 5 : ms, fn);
  }
}
