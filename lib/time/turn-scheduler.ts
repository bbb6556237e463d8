import type { Clock, Timer } from './clock.js';

/** The number of phases in a period. Upstreams are spread over them, so that they do not all wake up at once. */
const PHASES = 8;

/**
 * ms by which a timer may fire early, because Node rounds timers to whole ms from the start of the event loop's turn.
 */
const EARLY = 1;

/** Calls that wait for the same turn. */
interface PendingCalls {
  readonly calls: Set<() => void>;
  /** Whether one of the calls keeps the process alive. */
  keepAlive: boolean;
}

/**
 * A clock whose timers fire together: once per period, and never early. Hundreds of waiting calls then cost one timer
 * and one turn of the event loop. `now` stays exact.
 */
export interface TurnClock extends Clock {
  /** ms between two turns. */
  readonly period: number;
  /**
   * Calls `fn` at each turn, before the calls that wait for the turn by `after`. Returns a function that ends this.
   */
  onTurn(fn: (now: number) => void): () => void;
  /** Calls `fn` at the turns of all phases, which is eight times as often. Returns a function that ends this. */
  onEveryPhase(fn: (now: number) => void): () => void;
}

/**
 * Makes turns: one per period, in eight phases that are an eighth of the period apart. The sockets and the merger of an
 * upstream use the same phase. At each turn the sockets are read first, and their frames are merged in the same turn of
 * the event loop.
 */
export class TurnScheduler {
  private readonly clock: Clock;
  /** ms between the turns of two neighbouring phases. */
  private readonly step: number;
  private readonly turnListeners = Array.from({ length: PHASES }, () => new Set<(now: number) => void>());
  private readonly stepListeners = new Set<(now: number) => void>();
  /** The waiting calls, by the number of their turn. */
  private readonly waiting = new Map<number, PendingCalls>();
  private readonly phases: readonly TurnClock[];
  private assigned = 0;
  /** The number of the last turn that was made. */
  private made: number;
  private timer: Timer | undefined;
  /** The number of the turn that the timer is set for. */
  private timerTurn = Infinity;
  private timerKeepsAlive = false;

  /** @param period ms; at least 8 */
  constructor(
    clock: Clock,
    readonly period: number,
  ) {
    this.clock = clock;
    this.step = period / PHASES;
    this.made = Math.floor(clock.now() / this.step);
    this.phases = this.turnListeners.map((_, phase) => this.phaseClock(phase));
  }

  /** The clock of one phase. Phases are assigned in rotation. */
  nextPhase(): TurnClock {
    const phase = this.phases[this.assigned++ % PHASES];
    if (phase === undefined) throw new Error('a turn scheduler has eight phases');
    return phase;
  }

  private phaseClock(phase: number): TurnClock {
    const { clock, period, turnListeners, stepListeners } = this;
    const join = (set: Set<(now: number) => void> | undefined, fn: (now: number) => void): (() => void) => {
      // A new function for each call, so that the same `fn` can be added twice.
      const call = (now: number): void => fn(now);
      this.skipIdleTurns();
      set?.add(call);
      this.setTimer();
      return () => {
        set?.delete(call);
        this.dropIdleTimer();
      };
    };
    return {
      period,
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (ms, fn, keepAlive = true) => this.after(phase, ms, fn, keepAlive),
      onTurn: (fn) => join(turnListeners[phase], fn),
      onEveryPhase: (fn) => join(stepListeners, fn),
    };
  }

  private after(phase: number, ms: number, fn: () => void, keepAlive: boolean): Timer {
    const { waiting } = this;
    this.skipIdleTurns();
    let turn = Math.max(Math.ceil((this.clock.now() + ms) / this.step), this.made + 1);
    turn += (((phase - turn) % PHASES) + PHASES) % PHASES;
    let group = waiting.get(turn);
    if (group === undefined) {
      group = { calls: new Set(), keepAlive };
      waiting.set(turn, group);
    } else {
      group.keepAlive ||= keepAlive;
    }
    const { calls } = group;
    const call = (): void => fn();
    calls.add(call);
    if (turn < this.timerTurn || (keepAlive && !this.timerKeepsAlive)) this.setTimer();
    return {
      cancel: () => {
        if (!calls.delete(call) || calls.size > 0 || waiting.get(turn) !== group) return;
        waiting.delete(turn);
        this.dropIdleTimer();
      },
    };
  }

  /** The next turn in which there is something to do. */
  private nextTurn(): number {
    let next = Infinity;
    // Calls of the present turn, or of one that an error ended, are made in the next turn at the latest.
    for (const turn of this.waiting.keys()) next = Math.min(next, Math.max(turn, this.made + 1));
    if (this.stepListeners.size > 0) return Math.min(next, this.made + 1);
    for (let turn = this.made + 1; turn <= this.made + PHASES && turn < next; turn++) {
      if (this.turnListeners[turn % PHASES]?.size) return turn;
    }
    return next;
  }

  /** Listeners keep the process alive, and so do waiting calls with `keepAlive`. */
  private get keepsAlive(): boolean {
    if (this.stepListeners.size > 0 || this.turnListeners.some((set) => set.size > 0)) return true;
    for (const { keepAlive } of this.waiting.values()) if (keepAlive) return true;
    return false;
  }

  /** Counts turns that had nothing to do as made. */
  private skipIdleTurns(): void {
    if (this.timer === undefined) this.made = Math.max(this.made, Math.floor(this.clock.now() / this.step));
  }

  /** Sets the timer, unless it fires early enough already. */
  private setTimer(): void {
    const turn = this.nextTurn();
    if (turn === Infinity || (this.timerTurn <= turn && (this.timerKeepsAlive || !this.keepsAlive))) return;
    this.timer?.cancel();
    this.timerTurn = turn;
    this.timerKeepsAlive = this.keepsAlive;
    this.timer = this.clock.after(turn * this.step - this.clock.now(), () => this.turn(), this.timerKeepsAlive);
  }

  /** If nothing is left to do, the timer would only keep the process alive. */
  private dropIdleTimer(): void {
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
    if (turn <= made) return this.setTimer();
    this.made = turn;
    // The timer is set before any call, so that turns continue if a call throws.
    this.setTimer();
    for (const listener of this.stepListeners) listener(now);
    // Of several missed turns, each phase makes only one.
    for (let t = Math.max(made + 1, turn - PHASES + 1); t <= turn; t++) {
      for (const listener of this.turnListeners[t % PHASES] ?? []) listener(now);
    }
    const due = [...this.waiting.keys()].filter((t) => t <= turn).sort((a, b) => a - b);
    for (const t of due) {
      const group = this.waiting.get(t);
      this.waiting.delete(t);
      for (const call of group?.calls ?? []) call();
    }
    // The timer may have been set for a call that has just been made.
    if (this.timerTurn < this.nextTurn()) this.stopTimer();
    this.setTimer();
  }
}
