import type { Logger } from '../base/logger.js';
import type { Clock, Timer } from '../time/clock.js';
import type { FleetEngine } from './engine/engine.js';
import type { NodeRecord } from './node-record.js';
import { NodeView } from './node-view.js';

/** ms for which changes of nodes are collected. */
const COLLECT = 50;
/** ms between two lines about a node name that is used twice. */
const COMPLAINT_INTERVAL = 60_000;

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly engine: () => FleetEngine;
  /** Upstreams of this node. */
  readonly load: () => number;
  /** The engine has lost the record of this node, and with it those of owners. */
  readonly onLost: () => void;
  /** The nodes that are alive have changed, or one of them begins to drain. */
  readonly onNodes: (nodes: readonly NodeRecord[]) => void;
}

/** Says that this node is alive, and keeps the view of all nodes current. */
export class Heartbeat {
  readonly view: NodeView;
  private beating: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  private timer: Timer | undefined;
  private hasBeaten = false;
  /** Monotonic ms. */
  private complainedAt = -Infinity;
  private shown = '';
  private stopped = false;

  /** @param timeout `node_timeout`, ms */
  constructor(
    private record: NodeRecord,
    timeout: number,
    private readonly options: HeartbeatOptions,
  ) {
    this.view = new NodeView(record, timeout);
  }

  /** What this node says about itself. */
  get self(): NodeRecord {
    return this.record;
  }

  /** What changes is sent with the next heartbeat. */
  change(fields: Partial<NodeRecord>): void {
    this.record = { ...this.record, ...fields };
    this.view.setSelf(this.record);
    this.show();
  }

  /**
   * Sends a heartbeat. One at a time: what has changed since one began is sent by the next one.
   *
   * @throws EngineUnavailable
   */
  beat(): Promise<void> {
    if (this.beating === undefined) {
      this.beating = this.send().finally(() => {
        this.beating = undefined;
      });
      return this.beating;
    }
    this.next ??= this.beating
      .catch(() => {})
      .then(() => {
        this.next = undefined;
        return this.beat();
      });
    return this.next;
  }

  /** A heartbeat that nobody waits for, if the engine is up. */
  soon(): void {
    if (this.options.engine().up) void this.beat().catch(() => {});
  }

  /** A hundred nodes that join cause one heartbeat. */
  later(): void {
    this.timer ??= this.options.clock.after(
      COLLECT,
      () => {
        this.timer = undefined;
        this.soon();
      },
      false,
    );
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** Reports the nodes that are alive, if they are others than before. */
  show(): void {
    const { alive } = this.view;
    const shown = JSON.stringify(alive.map(({ name, kmp, draining }) => [name, kmp, draining]));
    if (shown === this.shown || this.stopped) return;
    this.shown = shown;
    this.options.onNodes(alive);
  }

  private async send(): Promise<void> {
    if (this.stopped) return;
    const { engine, load, onLost } = this.options;
    this.change({ load: load() });
    const { started } = this.record;
    const list = await engine().beat(this.record);
    if (list.startedBefore === undefined && this.hasBeaten) onLost();
    // A process before this one had the name, and that is in order. If another one has it now, both own the same ids.
    if (list.startedBefore !== undefined && list.startedBefore !== started && this.hasBeaten) this.complain();
    this.hasBeaten = true;
    this.view.update(list);
    this.show();
  }

  private complain(): void {
    const now = this.options.clock.now();
    if (now - this.complainedAt < COMPLAINT_INTERVAL) return;
    this.complainedAt = now;
    const { name } = this.record;
    this.options.log.error(`fleet: another process is the node "${name}", too; give each node a name of its own`);
  }
}
