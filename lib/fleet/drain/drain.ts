import type { Logger } from '../../base/logger.js';
import { messageOf } from '../../base/errors.js';
import type { Clock, Timer } from '../../time/clock.js';
import { within } from '../../time/within.js';
import type { FleetSide } from '../../upstream/ownership/ownership.js';
import type { DrainControl, DrainStatus } from '../../upstream/report/drain.js';
import { Handovers, type AskElsewhere } from './handovers.js';
import { MovePace, type Move } from './move-pace.js';

/** ms between two looks for upstreams that have begun meanwhile, or for a node that can take them. */
const LOOK_AGAIN = 1000;
/** ms after a key frame in which an upstream may still move. Later, it waits for the next one. */
const KEY_AGE = 500;

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

/** Knows which upstreams are on air. */
export interface AirCheck {
  /** At this node. */
  isHere(id: string): Promise<boolean>;
  readonly elsewhere: AskElsewhere;
}

export interface DrainParts {
  readonly fleet: DrainFleet;
  readonly side: FleetSide;
  /** `drain_rate`: upstreams per second. */
  readonly rate: () => number;
  /** Default: nobody knows, so that only the rate limits the moves. */
  readonly air?: AirCheck;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Gives the upstreams of this node away, one after the other. Each moves at a key frame: its record is released, then
 * its stream is unpublished, then its senders are disconnected, so their republish callbacks are answered with another
 * node. An upstream moves at most once: one that returns was placed here because no other node could take it. No more
 * of them are off the air at the same time than the other nodes can take ({@link MovePace}).
 */
export class Drain implements DrainControl {
  private draining = false;
  private moved = 0;
  private rate = 0;
  private warned = false;
  private readonly tried = new Set<string>();
  private readonly moving = new Set<string>();
  private readonly pace: MovePace;
  private readonly handovers: Handovers | undefined;
  /** When the process ends, monotonic ms; undefined: it does not end. */
  private endsAt: number | undefined;
  private timer: Timer | undefined;
  private hurryTimer: Timer | undefined;
  private waiters: (() => void)[] = [];
  /** Resolves when upstreams move without a key frame. */
  private hurried = Promise.resolve();
  private hurry = (): void => {};

  constructor(private readonly parts: DrainParts) {
    const { clock, air } = parts;
    this.pace = new MovePace(clock, () => this.spacing);
    this.handovers = air && new Handovers(clock, (ids) => air.elsewhere(ids));
  }

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
    this.pace.reset();
    this.hurried = new Promise((resolve) => {
      this.hurry = () => {
        this.pace.hurry();
        resolve();
      };
    });
    fleet.setDraining(true);
    log.info(`fleet: this node is drained: ${this.left} upstreams move to other nodes`);
    this.timer = this.parts.clock.after(0, () => this.step(), false);
    return this.status();
  }

  end(): DrainStatus {
    if (this.draining) {
      this.stop();
      this.parts.fleet.setDraining(false);
      this.parts.log.info(`fleet: this node takes upstreams again; ${this.moved} have moved`);
    }
    return this.status();
  }

  /**
   * Drains before the process ends. The rate is raised so that the last upstream begins to move within half of `ms`.
   * Those that have not moved then do so without regard to what the other nodes can take. Resolves when all have moved,
   * when no other node can take them, or after `ms`.
   */
  async finish(ms: number): Promise<void> {
    const { fleet, clock, rate } = this.parts;
    const needed = fleet.liveIds.length / Math.max(0.001, ms / 2000);
    this.begin(Math.max(rate(), needed));
    if (this.left === 0 || !fleet.hasOtherNode) return;
    this.endsAt = clock.now() + ms;
    this.hurryTimer = clock.after(ms / 2, () => this.hurry(), false);
    await within(clock, ms, new Promise<void>((resolve) => this.waiters.push(resolve)));
  }

  /** Moves nothing more. */
  stop(): void {
    this.draining = false;
    this.endsAt = undefined;
    this.timer?.cancel();
    this.hurryTimer?.cancel();
    this.pace.stop();
    this.handovers?.stop();
    this.hurry();
    this.settle();
  }

  /** ms between two moves. Before the process ends, it is shortened so that all can move. */
  private get spacing(): number {
    const spacing = 1000 / this.rate;
    if (this.endsAt === undefined) return spacing;
    return Math.min(spacing, Math.max(0, this.endsAt - this.parts.clock.now()) / (2 * Math.max(1, this.left)));
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
      // One whose server is away is not on air elsewhere, either.
      const isWatched = this.parts.air?.isHere(id).catch(() => false);
      const turn = await this.turnOf(id);
      if (turn === undefined) return;
      let hasMoved = false;
      try {
        // Without the engine, there is no record that must go, and the other nodes see that this one drains.
        await fleet.release(id).catch(() => {});
        hasMoved = await side.moveAway(id);
      } finally {
        void this.complete(turn, hasMoved && (await isWatched) === true ? id : undefined);
      }
      if (hasMoved) this.moved++;
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

  /** Waits for a key frame that comes when it is the turn of the upstream. undefined: the drain has ended. */
  private async turnOf(id: string): Promise<Move | undefined> {
    await this.parts.side.keyFrame(id);
    while (this.draining) {
      const turn = await this.pace.turn(KEY_AGE);
      if (turn !== undefined) return turn;
      if (this.draining) await Promise.race([this.parts.side.keyFrame(id), this.hurried]);
    }
    return undefined;
  }

  /** @param id undefined: nobody waits for it */
  private async complete(turn: Move, id: string | undefined): Promise<void> {
    const soon = id === undefined || this.handovers === undefined || (await this.handovers.watch(id));
    this.pace.complete(turn, soon);
  }

  private settle(): void {
    for (const resolve of this.waiters.splice(0)) resolve();
  }
}
