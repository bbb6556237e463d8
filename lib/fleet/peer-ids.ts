import type { Clock } from '../time/clock.js';
import { deadline } from '../time/deadline.js';

/** Returns the ids that are live at each of the other nodes that answers. Must not take longer than `peer_timeout`. */
export type IdsOfPeers = () => Promise<ReadonlyMap<string, readonly string[]>>;

/** ms for which the answers of the other nodes are used. */
const FRESH = 3000;
/** ms that a placement waits for them. */
const PATIENCE = 1000;

/**
 * Where ids are live, by the nodes themselves. It is asked only while the engine is away: a controller that has not
 * placed an id does not know its owner, and would separate the tracks of an upstream.
 */
export class PeerIds {
  private nodes = new Map<string, string>();
  private freshUntil = -Infinity;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ask: IdsOfPeers | undefined,
  ) {}

  /** undefined: at none that has answered. */
  async nodeOf(id: string): Promise<string | undefined> {
    this.refresh();
    // Old answers are better than none.
    if (this.asking !== undefined && this.nodes.size === 0) await this.patiently(this.asking);
    return this.nodes.get(id);
  }

  /** Asks in the background, unless the answers are fresh. */
  refresh(): void {
    if (this.ask === undefined || this.asking !== undefined || this.clock.now() < this.freshUntil) return;
    const asking = this.ask()
      .then((answers) => {
        this.nodes = new Map([...answers].flatMap(([node, ids]) => ids.map((id) => [id, node] as const)));
      })
      .catch(() => {})
      .finally(() => {
        this.asking = undefined;
        this.freshUntil = this.clock.now() + FRESH;
      });
    this.asking = asking;
  }

  /** The engine is back, and knows better. */
  forget(): void {
    this.nodes = new Map();
    this.freshUntil = -Infinity;
  }

  private patiently(asking: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = deadline(this.clock, PATIENCE, resolve);
      void asking.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
