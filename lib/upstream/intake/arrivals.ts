import type { Frame } from '../../media/frame.js';
import type { TurnReader } from '../../node-internals/socket-turn-reader.js';
import { ArrivalClock, STEADY_AFTER } from './arrival-clock.js';

/**
 * When the frames of one input arrive. In the first {@link STEADY_AFTER} ms of a track, and if Node reads its socket,
 * they arrive when they are read. After that, its socket is read only at the turns of its upstream.
 */
export class Arrivals {
  /** Set if the socket is read in turns. */
  private turns: TurnReader | undefined;
  /** Set once the socket is read only at the turns of the upstream. */
  private clock: ArrivalClock | undefined;
  /** Monotonic ms at which the first {@link STEADY_AFTER} ms of the track are over. */
  private steadyAt = Infinity;

  /** The input has joined its track. @param now monotonic ms */
  begin(turns: TurnReader | undefined, now: number): void {
    this.turns = turns;
    this.steadyAt = now + STEADY_AFTER;
  }

  /** Reads what the kernel has: see {@link TurnReader.readLast}. */
  readLast(): void {
    this.turns?.readLast();
  }

  /** The following frames were read at `at`, monotonic ms. */
  read(at: number): void {
    this.clock?.read(at, this.turns?.emptyAt ?? at);
  }

  /** Sets `frame.arrivedAt`, if a better estimate than the time of the read is possible. */
  estimate(frame: Frame): void {
    if (this.clock !== undefined) frame.arrivedAt = this.clock.estimate(frame.ms);
  }

  /** Monotonic ms, an integer: the arrival of a frame with dts `ms` that was read at `at`. */
  of(ms: number, at: number): number {
    return this.clock === undefined ? Math.floor(at) : this.clock.estimate(ms);
  }

  /** True if the frames of a read at `at`, monotonic ms, end the first {@link STEADY_AFTER} ms: see {@link settle}. */
  isOver(at: number): boolean {
    return at >= this.steadyAt;
  }

  /** The first {@link STEADY_AFTER} ms are over. @param last the last frame that was read */
  settle(last: Frame | undefined): void {
    this.steadyAt = Infinity;
    if (this.turns === undefined) return;
    this.turns.settle();
    this.clock = new ArrivalClock(last);
  }
}
