import type { Clock, Timer } from './clock.js';
import type { TurnClock } from './turn-clock.js';
import { TurnLoad } from './turn-load.js';
import { EARLY, TurnMember, type PendingCall, type PendingTurn, type TurnOwner } from './turn-member.js';
import { PHASES, TurnPace, type PeriodBounds } from './turn-pace.js';

/** Steps by which the time of a turn may be wrong, because it is calculated with fractions. */
const ROUNDING = 1e-9;

/**
 * The most sockets that are read at the turns of all phases. With more of them, each is read at every second or fourth
 * turn. Reading hundreds of sockets that have just come every few ms would leave no time to publish what they bring.
 */
const READ_AT_ALL = 128;

/** ms between two checks whether the period is still right. */
const ADAPT_INTERVAL = 1_000;

/** The members of a phase that have something to do. */
interface Phase {
  readonly members: TurnMember[];
  /** How many listeners they have. */
  listeners: number;
}

/** What is called at the turns of all phases. If it is called only at some of them, `place` decides at which. */
interface StepListener {
  readonly fn: (now: number) => void;
  readonly place: number;
}

/** The next multiple of `step` from `turn` on. */
function roundUp(turn: number, step: number): number {
  return Math.ceil(turn / step) * step;
}

/**
 * Makes turns: one per period, in eight phases that are an eighth of the period apart. The sockets and the merger of an
 * upstream use the same phase, and are one {@link TurnMember}: its sockets are read, and then its frames are merged,
 * before the next upstream has its turn. The period adapts to the load ({@link TurnPace}). When it changes, the turns
 * continue in their order. With few sockets, several phases share a turn of the event loop: the earlier ones wait for
 * the last.
 */
export class TurnScheduler implements TurnOwner {
  private readonly pace: TurnPace;
  private readonly adapts: boolean;
  /** ms between the turns of two neighbouring phases. */
  private step: number;
  /** The number and the time, monotonic ms, of the turn from which the times of the others are counted. */
  private baseTurn = 0;
  private baseTime = 0;
  private adaptAt: number;
  private readonly phases = Array.from({ length: PHASES }, (): Phase => ({ members: [], listeners: 0 }));
  private readonly stepListeners = new Set<StepListener>();
  /** How many of them were ever added, and in how many turns they were called. */
  private stepsAdded = 0;
  private stepTurns = 0;
  /** The turns that calls wait for, by their numbers. */
  private readonly waiting = new Map<number, PendingTurn>();
  /** The one that a call was added to last: the next one often needs the same. */
  private last: PendingTurn | undefined;
  private assigned = 0;
  /** True while the members of a turn are called. */
  private turning = false;
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
  }

  /** ms between two turns at present. */
  get period(): number {
    return this.pace.period;
  }

  /** True while sockets are read in its turns. */
  get isReading(): boolean {
    return this.stepListeners.size > 0 || this.phases.some(({ listeners }) => listeners > 0);
  }

  /** A clock for one upstream. Its turns are those of one phase; phases are assigned in rotation. */
  nextPhase(): TurnClock {
    return new TurnMember(this, this.assigned++ % PHASES);
  }

  now(): number {
    return this.clock.now();
  }

  wall(): number {
    return this.clock.wall();
  }

  listenerAdded(member: TurnMember): void {
    this.enlist(member).listeners++;
    this.socketAdded();
  }

  listenerRemoved(member: TurnMember): void {
    this.phaseOf(member).listeners--;
    this.load.sockets--;
    this.forgetIdle(member);
    this.dropIdleTimer();
  }

  onEveryPhase(fn: (now: number) => void): () => void {
    // A new object for each call, so that the same `fn` can be added twice.
    const call: StepListener = { fn, place: this.stepsAdded++ };
    this.stepListeners.add(call);
    this.socketAdded();
    return () => {
      if (this.stepListeners.delete(call)) this.load.sockets--;
      this.dropIdleTimer();
    };
  }

  callAdded(call: PendingCall): void {
    this.skipIdleTurns();
    this.enlist(call.member);
    const { turn, keepAlive } = this.assign(call);
    if (turn < this.timerTurn || (keepAlive && !this.timerKeepsAlive)) this.setTimer();
  }

  reassign(call: PendingCall): void {
    this.callRemoved(call);
    this.assign(call);
  }

  callRemoved(call: PendingCall): void {
    const { pending } = call;
    call.pending = undefined;
    if (pending !== undefined && --pending.calls === 0) this.waiting.delete(pending.turn);
  }

  callCancelled(member: TurnMember): void {
    this.forgetIdle(member);
    this.dropIdleTimer();
  }

  private socketAdded(): void {
    this.skipIdleTurns();
    this.load.sockets++;
    // Many sockets may join at once: the end of the next turn looks at all of them.
    this.adaptAt = -Infinity;
    this.setTimer();
  }

  private phaseOf(member: TurnMember): Phase {
    const phase = this.phases[member.phase];
    if (phase === undefined) throw new Error('a turn scheduler has eight phases');
    return phase;
  }

  private enlist(member: TurnMember): Phase {
    const phase = this.phaseOf(member);
    if (member.place < 0) member.place = phase.members.push(member) - 1;
    return phase;
  }

  /** Removes a member that has nothing to do from its phase. During a turn, {@link makePhase} does it. */
  private forgetIdle(member: TurnMember): void {
    if (!this.turning && member.place >= 0 && member.isIdle) this.delist(this.phaseOf(member), member);
  }

  private delist({ members }: Phase, member: TurnMember): void {
    const last = members.pop();
    if (last !== undefined && last !== member) {
      members[member.place] = last;
      last.place = member.place;
    }
    member.place = -1;
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

  /** Adds a call to those of the first turn of its phase that is made when the call is due, or later. */
  private assign(call: PendingCall): PendingTurn {
    const pending = this.turnFor(call.member.phase, call.due);
    call.pending = pending;
    pending.calls++;
    pending.keepAlive ||= call.keepAlive;
    return pending;
  }

  private turnFor(phase: number, due: number): PendingTurn {
    const { waiting, baseTurn, baseTime, step, shared } = this;
    const at = roundUp(baseTurn + Math.ceil((due - baseTime) / step - ROUNDING), shared);
    // Of the phases that share a turn of the event loop, the earlier ones are made at the time of the last.
    let turn = Math.max(at - shared + 1, this.made + 1);
    turn += (((phase - turn) % PHASES) + PHASES) % PHASES;
    if (this.last?.turn === turn && this.last.calls > 0) return this.last;
    let pending = waiting.get(turn);
    if (pending === undefined) waiting.set(turn, (pending = { turn, calls: 0, keepAlive: false }));
    this.last = pending;
    return pending;
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
    for (const { members } of this.phases) for (const member of members) member.regroup();
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
      if ((this.phases[turn % PHASES]?.listeners ?? 0) > 0) return turn;
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
    this.turning = true;
    try {
      this.callNew(now);
      // Of several missed turns, each phase makes only one.
      for (let t = Math.max(made + 1, turn - PHASES + 1); t <= turn; t++) {
        const phase = this.phases[t % PHASES];
        if (phase !== undefined) this.makePhase(phase, turn, now);
      }
    } finally {
      this.turning = false;
    }
    const end = this.clock.now();
    this.load.add(end - now, end);
    if (this.adapts && end >= this.adaptAt) this.adapt(end);
    if (this.shared !== this.sharedBefore) this.regroup();
    // The timer may have been set for a call that has just been made.
    if (this.timerTurn < this.nextTurn()) this.stopTimer();
    this.setTimer();
  }

  /** Calls the listeners of all phases; a part of them, if there are many. */
  private callNew(now: number): void {
    let every = 1;
    while (every < PHASES / 2 && this.stepListeners.size > READ_AT_ALL * every) every *= 2;
    // Turns that were missed do not count: else the same part of them might be left out again and again.
    this.stepTurns++;
    for (const { fn, place } of this.stepListeners) if ((this.stepTurns + place) % every === 0) fn(now);
  }

  /**
   * Calls the members of one phase.
   *
   * @param turn calls that wait for it, or for an earlier one, are made
   */
  private makePhase(phase: Phase, turn: number, now: number): void {
    const { members } = phase;
    let idle = false;
    // A member that is added meanwhile gets its turn, too.
    for (let i = 0; i < members.length; i++) {
      const member = members[i];
      if (member === undefined) continue;
      member.makeTurn(turn, now);
      idle ||= member.isIdle;
    }
    if (!idle) return;
    for (let i = members.length - 1; i >= 0; i--) {
      const member = members[i];
      if (member?.isIdle === true) this.delist(phase, member);
    }
  }
}
