import type { Clock } from './clock.js';

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
