import type { Clock, Timer } from './clock.js';
import { TurnLoad } from './turn-load.js';
import { PHASES, TurnPace, type PeriodBounds } from './turn-pace.js';

/**
 * ms by which a timer may fire early, because Node rounds timers to whole ms from the start of the event loop's turn.
 */
const EARLY = 1;

/** Steps by which the time of a turn may be wrong, because it is calculated with fractions. */
const ROUNDING = 1e-9;

/** ms between two checks whether the period is still right. */
const ADAPT_INTERVAL = 1_000;

/** A call that waits for a turn. */
interface PendingCall {
  readonly fn: () => void;
  /** Monotonic ms before which it must not be made. */
  readonly due: number;
  readonly phase: number;
  readonly keepAlive: boolean;
  /** The calls that it belongs to, until it is made or cancelled. */
  group: PendingCalls;
}

/** Calls that wait for the same turn. */
interface PendingCalls {
  readonly turn: number;
  readonly calls: Set<PendingCall>;
  /** Whether one of the calls keeps the process alive. */
  keepAlive: boolean;
}

const NO_CALLS: PendingCalls = { turn: -Infinity, calls: new Set(), keepAlive: false };

/** The next multiple of `step` from `turn` on. */
function roundUp(turn: number, step: number): number {
  return Math.ceil(turn / step) * step;
}

/**
 * A clock whose timers fire together: once per period, and never early. Hundreds of waiting calls then cost one timer
 * and one turn of the event loop. `now` stays exact.
 */
export interface TurnClock extends Clock {
  /** ms between two turns at present. */
  readonly period: number;
  /**
   * Calls `fn` at each turn, before the calls that wait for the turn by `after`. Returns a function that ends this.
   */
  onTurn(fn: (now: number) => void): () => void;
  /**
   * Calls `fn` at the turns of all phases, which is eight times as often. Meanwhile, no phases share a turn of the
   * event loop. Returns a function that ends this.
   */
  onEveryPhase(fn: (now: number) => void): () => void;
}

/**
 * Makes turns: one per period, in eight phases that are an eighth of the period apart. The sockets and the merger of an
 * upstream use the same phase. At each turn the sockets are read first, and their frames are merged in the same turn of
 * the event loop. The period adapts to the load ({@link TurnPace}). When it changes, the turns continue in their order.
 * With few sockets, several phases share a turn of the event loop: the earlier ones wait for the last.
 */
export class TurnScheduler {
  private readonly pace: TurnPace;
  private readonly adapts: boolean;
  /** ms between the turns of two neighbouring phases. */
  private step: number;
  /** The number and the time, monotonic ms, of the turn from which the times of the others are counted. */
  private baseTurn = 0;
  private baseTime = 0;
  private adaptAt: number;
  private readonly turnListeners = Array.from({ length: PHASES }, () => new Set<(now: number) => void>());
  private readonly stepListeners = new Set<(now: number) => void>();
  /** The waiting calls, by the number of their turn. */
  private readonly waiting = new Map<number, PendingCalls>();
  private readonly phases: readonly TurnClock[];
  private assigned = 0;
  /** What {@link shared} was when the waiting calls were added. */
  private sharedBefore = 1;
  /** The number of the last turn that was made. */
  private made: number;
  private timer: Timer | undefined;
  /** The number of the turn that the timer is set for. */
  private timerTurn = Infinity;
  private timerKeepsAlive = false;

  /**
   * @param bounds ms between two turns, at least 8; a number: nothing adapts
   * @param load what the turns of all schedulers cost
   */
  constructor(
    private readonly clock: Clock,
    bounds: PeriodBounds | number,
    private readonly load = new TurnLoad(clock),
  ) {
    this.adapts = typeof bounds !== 'number';
    this.pace = new TurnPace(typeof bounds === 'number' ? { shortest: bounds, longest: bounds } : bounds);
    this.step = this.pace.period / PHASES;
    const now = clock.now();
    this.made = this.turnAt(now);
    this.adaptAt = now + ADAPT_INTERVAL;
    this.phases = this.turnListeners.map((_, phase) => this.phaseClock(phase));
  }

  /** ms between two turns at present. */
  get period(): number {
    return this.pace.period;
  }

  /** True while sockets are read in its turns. */
  get isReading(): boolean {
    return this.stepListeners.size > 0 || this.turnListeners.some((set) => set.size > 0);
  }

  /** The clock of one phase. Phases are assigned in rotation. */
  nextPhase(): TurnClock {
    const phase = this.phases[this.assigned++ % PHASES];
    if (phase === undefined) throw new Error('a turn scheduler has eight phases');
    return phase;
  }

  /** Monotonic ms of a turn. */
  private timeOf(turn: number): number {
    return this.baseTime + (turn - this.baseTurn) * this.step;
  }

  /** The number of the last turn whose time is not after `now`. */
  private turnAt(now: number): number {
    return this.baseTurn + Math.floor((now - this.baseTime) / this.step);
  }

  /** The number of phases that share a turn of the event loop. New sockets are read at the turns of all phases. */
  private get shared(): number {
    return this.stepListeners.size > 0 ? 1 : PHASES / this.pace.wakeUps;
  }

  private phaseClock(phase: number): TurnClock {
    const { clock, pace, load, turnListeners, stepListeners } = this;
    const join = (set: Set<(now: number) => void> | undefined, fn: (now: number) => void): (() => void) => {
      // A new function for each call, so that the same `fn` can be added twice.
      const call = (now: number): void => fn(now);
      this.skipIdleTurns();
      set?.add(call);
      load.sockets++;
      // Many sockets may join at once: the end of the next turn looks at all of them.
      this.adaptAt = -Infinity;
      this.setTimer();
      return () => {
        if (set?.delete(call) === true) load.sockets--;
        this.dropIdleTimer();
      };
    };
    return {
      get period() {
        return pace.period;
      },
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
    const due = this.clock.now() + ms;
    const call: PendingCall = { fn, due, phase, keepAlive, group: NO_CALLS };
    const group = this.addTo(call);
    if (group.turn < this.timerTurn || (keepAlive && !this.timerKeepsAlive)) this.setTimer();
    return {
      cancel: () => {
        const { calls, turn } = call.group;
        if (!calls.delete(call) || calls.size > 0 || waiting.get(turn) !== call.group) return;
        waiting.delete(turn);
        this.dropIdleTimer();
      },
    };
  }

  /** Adds a call to those of the first turn of its phase that is made when the call is due, or later. */
  private addTo(call: PendingCall): PendingCalls {
    const group = this.groupFor(call.phase, call.due);
    call.group = group;
    group.calls.add(call);
    group.keepAlive ||= call.keepAlive;
    return group;
  }

  private groupFor(phase: number, due: number): PendingCalls {
    const { waiting, baseTurn, baseTime, step, shared } = this;
    const at = roundUp(baseTurn + Math.ceil((due - baseTime) / step - ROUNDING), shared);
    // Of the phases that share a turn of the event loop, the earlier ones are made at the time of the last.
    let turn = Math.max(at - shared + 1, this.made + 1);
    turn += (((phase - turn) % PHASES) + PHASES) % PHASES;
    let group = waiting.get(turn);
    if (group === undefined) waiting.set(turn, (group = { turn, calls: new Set(), keepAlive: false }));
    return group;
  }

  /** Changes the period if it does not fit the load. Not to be called while calls of a turn are still to be made. */
  private adapt(now: number): void {
    this.adaptAt = now + ADAPT_INTERVAL;
    if (!this.pace.adapt(this.load.sockets, this.load.share, now)) return;
    // Turns keep their numbers, and so their phases. The next one is a new step after the last one that was due.
    this.baseTime = this.timeOf(this.made);
    this.baseTurn = this.made;
    this.step = this.pace.period / PHASES;
    this.regroup();
  }

  /** Adds the waiting calls again: the times of the turns have changed. */
  private regroup(): void {
    this.sharedBefore = this.shared;
    const groups = [...this.waiting.values()];
    this.waiting.clear();
    for (const { calls } of groups) for (const call of calls) this.addTo(call);
    this.stopTimer();
    this.setTimer();
  }

  /** The next turn in which the event loop has something to do. */
  private nextTurn(): number {
    return roundUp(this.nextDue(), this.shared);
  }

  /** The next turn of a phase in which there is something to do. */
  private nextDue(): number {
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
    if (this.isReading) return true;
    for (const { keepAlive } of this.waiting.values()) if (keepAlive) return true;
    return false;
  }

  /** Counts turns that had nothing to do as made. */
  private skipIdleTurns(): void {
    if (this.timer === undefined) this.made = Math.max(this.made, this.turnAt(this.clock.now()));
  }

  /** Sets the timer, unless it fires early enough already. */
  private setTimer(): void {
    const turn = this.nextTurn();
    if (turn === Infinity || (this.timerTurn <= turn && (this.timerKeepsAlive || !this.keepsAlive))) return;
    this.timer?.cancel();
    this.timerTurn = turn;
    this.timerKeepsAlive = this.keepsAlive;
    this.timer = this.clock.after(this.timeOf(turn) - this.clock.now(), () => this.turn(), this.timerKeepsAlive);
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
    const turn = this.turnAt(now + EARLY);
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
      for (const call of group?.calls ?? []) {
        // Its phase shared a turn with later ones when the call was added, and no longer does.
        if (call.due > now + EARLY) this.addTo(call);
        else call.fn();
      }
    }
    const end = this.clock.now();
    this.load.add(end - now, end);
    if (this.adapts && end >= this.adaptAt) this.adapt(end);
    if (this.shared !== this.sharedBefore) this.regroup();
    // The timer may have been set for a call that has just been made.
    if (this.timerTurn < this.nextTurn()) this.stopTimer();
    this.setTimer();
  }
}
