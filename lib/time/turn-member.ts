import type { Timer } from './clock.js';
import type { TurnClock } from './turn-clock.js';

/**
 * ms by which a timer may fire early, because Node rounds timers to whole ms from the start of the event loop's turn.
 */
export const EARLY = 1;

/** How many calls wait for one turn, over all members. */
export interface PendingTurn {
  readonly turn: number;
  calls: number;
  /** Whether one of the calls keeps the process alive. */
  keepAlive: boolean;
}

/** A call that waits for a turn. It is its own timer: an upstream has several of them in each turn. */
export class PendingCall implements Timer {
  /** The turn that it waits for; undefined once it was made or cancelled. */
  pending: PendingTurn | undefined;

  /** @param due monotonic ms before which it must not be made */
  constructor(
    readonly member: TurnMember,
    readonly fn: () => void,
    readonly due: number,
    readonly keepAlive: boolean,
  ) {}

  cancel(): void {
    if (this.pending !== undefined) this.member.cancel(this);
  }
}

/** What the members need from the scheduler. */
export interface TurnOwner {
  readonly period: number;
  now(): number;
  wall(): number;
  /** A call was added: it needs the first turn of its phase that is made when it is due, or later. */
  callAdded(call: PendingCall): void;
  /** The call needs another turn. */
  reassign(call: PendingCall): void;
  /** The call waits no longer. */
  callRemoved(call: PendingCall): void;
  callCancelled(member: TurnMember): void;
  listenerAdded(member: TurnMember): void;
  listenerRemoved(member: TurnMember): void;
  onEveryPhase(fn: (now: number) => void): () => void;
}

interface Listener {
  readonly fn: (now: number) => void;
  active: boolean;
}

/**
 * The clock of one upstream. In a turn, all that it has to do is done at once, while its data is in the CPU's cache:
 * its sockets are read, then its frames are merged. If all sockets of the turn were read first, its data would no
 * longer be there when its frames are merged (docs/performance.md).
 */
export class TurnMember implements TurnClock {
  /** Its place in the list of its phase; -1: it is not there, because it has nothing to do. */
  place = -1;
  /** Replaced when it changes, because it may be in use then. */
  private listeners: readonly Listener[] = [];
  private readonly calls: PendingCall[] = [];

  constructor(
    private readonly owner: TurnOwner,
    readonly phase: number,
  ) {}

  get period(): number {
    return this.owner.period;
  }

  get isIdle(): boolean {
    return this.listeners.length === 0 && this.calls.length === 0;
  }

  now(): number {
    return this.owner.now();
  }

  wall(): number {
    return this.owner.wall();
  }

  after(ms: number, fn: () => void, keepAlive = true): Timer {
    const { owner } = this;
    const call = new PendingCall(this, fn, owner.now() + ms, keepAlive);
    this.calls.push(call);
    owner.callAdded(call);
    return call;
  }

  onTurn(fn: (now: number) => void): () => void {
    // A new object for each call, so that the same `fn` can be added twice.
    const listener: Listener = { fn, active: true };
    this.listeners = [...this.listeners, listener];
    this.owner.listenerAdded(this);
    return () => {
      if (!listener.active) return;
      listener.active = false;
      this.listeners = this.listeners.filter((one) => one !== listener);
      this.owner.listenerRemoved(this);
    };
  }

  onEveryPhase(fn: (now: number) => void): () => void {
    return this.owner.onEveryPhase(fn);
  }

  cancel(call: PendingCall): void {
    this.remove(call);
    this.owner.callCancelled(this);
  }

  /** Makes the turn with number `turn`, and all earlier ones that were missed. */
  makeTurn(turn: number, now: number): void {
    const { listeners } = this;
    for (let i = 0; i < listeners.length; i++) {
      const listener = listeners[i];
      if (listener?.active === true) listener.fn(now);
    }
    for (let call = this.nextFor(turn); call !== undefined; call = this.nextFor(turn)) {
      if (call.due > now + EARLY) {
        // Its phase shared a turn with later ones when the call was added, and no longer does.
        this.owner.reassign(call);
      } else {
        this.remove(call);
        call.fn();
      }
    }
  }

  /** Assigns all calls again: the times of the turns have changed. */
  regroup(): void {
    for (const call of this.calls) this.owner.reassign(call);
  }

  /** The first call that waits for `turn`, or for an earlier one. */
  private nextFor(turn: number): PendingCall | undefined {
    const { calls } = this;
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i];
      if (call?.pending !== undefined && call.pending.turn <= turn) return call;
    }
    return undefined;
  }

  private remove(call: PendingCall): void {
    const { calls, owner } = this;
    owner.callRemoved(call);
    // Not splice, which allocates a list. There are a few calls: those of one upstream.
    const last = calls.length - 1;
    for (let i = calls.indexOf(call); i < last; i++) calls[i] = calls[i + 1] as PendingCall;
    calls.pop();
  }
}
