import type { Clock, Timer } from './clock.js';

/** How many beats a period has, so that not all of a process wakes up at once. */
const BEATS = 8;

/** Timers count whole ms from the beginning of the event loop's turn, so they may go off this much too early, ms. */
const EARLY = 1;

/** Calls that wait for the same turn. */
interface PendingCalls {
  readonly calls: Set<() => void>;
  /** Whether one of them is to keep the process alive. */
  ref: boolean;
}

/**
 * A clock whose timers go off together, once a period and never early: hundreds of things that wait cost one timer and one
 * turn of the event loop, not hundreds. `now` stays exact.
 */
export interface TurnClock extends Clock {
  /** ms between two turns. */
  readonly period: number;
  /** Calls `fn` at each turn, ahead of all that waits for it by `after`, until what is returned is called. */
  every(fn: (now: number) => void): () => void;
  /** The same at the turns of all beats of the cadence: eight times as often. */
  everyStep(fn: (now: number) => void): () => void;
}

/**
 * Eight beats of one period, an eighth of it apart. What reads sockets and what merges what they brought go by the same beat:
 * first the reading, then the merging, in one turn of the event loop.
 */
export class TurnScheduler {
  private readonly clock: Clock;
  private readonly step: number;
  private readonly regular = Array.from({ length: BEATS }, () => new Set<(now: number) => void>());
  private readonly eager = new Set<(now: number) => void>();
  private readonly waiting = new Map<number, PendingCalls>();
  private readonly beats: readonly TurnClock[];
  private handedOut = 0;
  /** The last turn that was made. */
  private made: number;
  private timer: Timer | undefined;
  private timerTurn = Infinity;
  private timerRef = false;

  /** @param period ms; at least 8 */
  constructor(
    clock: Clock,
    readonly period: number,
  ) {
    this.clock = clock;
    this.step = period / BEATS;
    this.made = Math.floor(clock.now() / this.step);
    this.beats = this.regular.map((_, phase) => this.beat(phase));
  }

  /** A beat, of all eight in turn. */
  next(): TurnClock {
    const beat = this.beats[this.handedOut++ % BEATS];
    if (beat === undefined) throw new Error('a cadence has eight beats');
    return beat;
  }

  private beat(phase: number): TurnClock {
    const { clock, period, regular, eager } = this;
    const join = (set: Set<(now: number) => void> | undefined, fn: (now: number) => void): (() => void) => {
      // A function of its own, so that the same one can join twice.
      const call = (now: number): void => fn(now);
      this.catchUp();
      set?.add(call);
      this.wake();
      return () => {
        set?.delete(call);
        this.sleep();
      };
    };
    return {
      period,
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (ms, fn, ref = true) => this.after(phase, ms, fn, ref),
      every: (fn) => join(regular[phase], fn),
      everyStep: (fn) => join(eager, fn),
    };
  }

  private after(phase: number, ms: number, fn: () => void, ref: boolean): Timer {
    const { waiting } = this;
    this.catchUp();
    let turn = Math.max(Math.ceil((this.clock.now() + ms) / this.step), this.made + 1);
    turn += (((phase - turn) % BEATS) + BEATS) % BEATS;
    let group = waiting.get(turn);
    if (group === undefined) {
      group = { calls: new Set(), ref };
      waiting.set(turn, group);
    } else {
      group.ref ||= ref;
    }
    const { calls } = group;
    const call = (): void => fn();
    calls.add(call);
    if (turn < this.timerTurn || (ref && !this.timerRef)) this.wake();
    return {
      cancel: () => {
        if (!calls.delete(call) || calls.size > 0 || waiting.get(turn) !== group) return;
        waiting.delete(turn);
        this.sleep();
      },
    };
  }

  /** The next turn in which there is something to do. */
  private nextTurn(): number {
    let next = Infinity;
    // Those of a turn that is being made, or that broke off, go with the next one at the latest.
    for (const turn of this.waiting.keys()) next = Math.min(next, Math.max(turn, this.made + 1));
    if (this.eager.size > 0) return Math.min(next, this.made + 1);
    for (let turn = this.made + 1; turn <= this.made + BEATS && turn < next; turn++) {
      if (this.regular[turn % BEATS]?.size) return turn;
    }
    return next;
  }

  /** What waits for turns that others have joined keeps the process alive, and so does reading. */
  private get needed(): boolean {
    if (this.eager.size > 0 || this.regular.some((set) => set.size > 0)) return true;
    for (const { ref } of this.waiting.values()) if (ref) return true;
    return false;
  }

  /** Turns in which there was nothing to do are behind us. */
  private catchUp(): void {
    if (this.timer === undefined) this.made = Math.max(this.made, Math.floor(this.clock.now() / this.step));
  }

  /** Sets the timer, if there is none that goes off in time. */
  private wake(): void {
    const turn = this.nextTurn();
    if (turn === Infinity || (this.timerTurn <= turn && (this.timerRef || !this.needed))) return;
    this.timer?.cancel();
    this.timerTurn = turn;
    this.timerRef = this.needed;
    this.timer = this.clock.after(turn * this.step - this.clock.now(), () => this.turn(), this.timerRef);
  }

  /** With nothing left to do, the timer would only keep the process alive. */
  private sleep(): void {
    if (this.timer !== undefined && this.nextTurn() === Infinity) this.stopTimer();
  }

  private stopTimer(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.timerTurn = Infinity;
  }

  private turn(): void {
    this.timer = undefined;
    this.timerTurn = Infinity;
    const now = this.clock.now();
    const { made } = this;
    const turn = Math.floor((now + EARLY) / this.step);
    if (turn <= made) return this.wake();
    this.made = turn;
    // First of all, so that nothing that goes wrong in a call is the end of this.
    this.wake();
    for (const read of this.eager) read(now);
    // Turns that were missed are made up for, each beat once.
    for (let t = Math.max(made + 1, turn - BEATS + 1); t <= turn; t++) {
      for (const read of this.regular[t % BEATS] ?? []) read(now);
    }
    const due = [...this.waiting.keys()].filter((t) => t <= turn).sort((a, b) => a - b);
    for (const t of due) {
      const group = this.waiting.get(t);
      this.waiting.delete(t);
      for (const call of group?.calls ?? []) call();
    }
    // What it was set for may have been made just now.
    if (this.timerTurn < this.nextTurn()) this.stopTimer();
    this.wake();
  }
}
