import type { Logger } from '../../base/logger.js';
import { messageOf } from '../../base/errors.js';
import type { Clock, Timer } from '../../time/clock.js';
import { within } from '../../time/within.js';
import type { FleetSide } from '../../upstream/ownership/ownership.js';
import type { DrainControl, DrainStatus } from '../../upstream/report/drain.js';

/** ms between two looks for upstreams that have begun meanwhile, or for a node that can take them. */
const LOOK_AGAIN = 1000;

/** What a drain needs of the fleet. */
export interface DrainFleet {
  /** The ids that are live at this node. */
  readonly liveIds: readonly string[];
  /** True if another node is alive and does not drain. */
  readonly hasOtherNode: boolean;
  setDraining(draining: boolean): void;
  /** Gives an id away: the next placement chooses another node. */
  release(id: string): Promise<void>;
}

export interface DrainParts {
  readonly fleet: DrainFleet;
  readonly side: FleetSide;
  /** `drain_rate`: upstreams per second. */
  readonly rate: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Gives the upstreams of this node away, one after the other. Each moves at a key frame: its record is released, then
 * its stream is unpublished, then its senders are disconnected, so their republish callbacks are answered with another
 * node. An upstream moves at most once: one that returns was placed here because no other node could take it.
 */
export class Drain implements DrainControl {
  private draining = false;
  private moved = 0;
  private rate = 0;
  private warned = false;
  private readonly tried = new Set<string>();
  private readonly moving = new Set<string>();
  private timer: Timer | undefined;
  private waiters: (() => void)[] = [];

  constructor(private readonly parts: DrainParts) {}

  status(): DrainStatus {
    return { draining: this.draining, moved: this.moved, left: this.draining ? this.left : 0 };
  }

  begin(rate = this.parts.rate()): DrainStatus {
    const { fleet, log } = this.parts;
    this.rate = Math.max(rate, this.draining ? this.rate : 0);
    if (this.draining) return this.status();
    this.draining = true;
    this.moved = 0;
    this.warned = false;
    this.tried.clear();
    fleet.setDraining(true);
    log.info(`fleet: this node is drained: ${this.left} upstreams move to other nodes`);
    this.timer = this.parts.clock.after(0, () => this.step(), false);
    return this.status();
  }

  end(): DrainStatus {
    if (this.draining) {
      this.draining = false;
      this.timer?.cancel();
      this.parts.fleet.setDraining(false);
      this.parts.log.info(`fleet: this node takes upstreams again; ${this.moved} have moved`);
      this.settle();
    }
    return this.status();
  }

  /**
   * Drains before the process ends. The rate is raised so that the last upstream begins to move within half of `ms`.
   * Resolves when all have moved, when no other node can take them, or after `ms`.
   */
  async finish(ms: number): Promise<void> {
    const { fleet, clock, rate } = this.parts;
    const needed = fleet.liveIds.length / Math.max(0.001, ms / 2000);
    this.begin(Math.max(rate(), needed));
    if (this.left === 0 || !fleet.hasOtherNode) return;
    await within(clock, ms, new Promise<void>((resolve) => this.waiters.push(resolve)));
  }

  /** Moves nothing more. */
  stop(): void {
    this.timer?.cancel();
    this.draining = false;
    this.settle();
  }

  private get left(): number {
    let left = this.moving.size;
    for (const id of this.parts.fleet.liveIds) if (!this.tried.has(id)) left++;
    return left;
  }

  private step(): void {
    if (!this.draining) return;
    const { fleet, clock, log } = this.parts;
    // Some may have ended by themselves.
    if (this.left === 0) this.settle();
    const id = fleet.liveIds.find((one) => !this.tried.has(one));
    let wait = LOOK_AGAIN;
    if (id !== undefined && fleet.hasOtherNode) {
      this.tried.add(id);
      void this.move(id);
      wait = 1000 / this.rate;
    } else if (id !== undefined && !this.warned) {
      this.warned = true;
      log.warn('fleet: no other node can take upstreams; those of this node stay until one can');
    }
    this.timer = clock.after(wait, () => this.step(), false);
  }

  private async move(id: string): Promise<void> {
    const { fleet, side, log } = this.parts;
    this.moving.add(id);
    try {
      await side.keyFrame(id);
      if (!this.draining) return;
      // Without the engine, there is no record that must go, and the other nodes see that this one drains.
      await fleet.release(id).catch(() => {});
      if (await side.moveAway(id)) this.moved++;
    } catch (error) {
      log.warn(`fleet: ${JSON.stringify(id)} has not moved: ${messageOf(error)}`);
    } finally {
      this.moving.delete(id);
      if (this.left === 0) {
        log.info(`fleet: all upstreams of this node have moved: ${this.moved}`);
        this.settle();
      }
    }
  }

  private settle(): void {
    for (const resolve of this.waiters.splice(0)) resolve();
  }
}
