import type { Clock, Timer } from '../../time/clock.js';
import type { FleetOrders } from '../view/fleet-orders.js';
import { readRecords } from './fleet-question.js';
import type { Peers } from './peers.js';

/** ms between two turns. In each turn, a part of the other nodes is asked. */
const TURN = 1_000;
/** Each of the other nodes is asked once in so many turns, if there are few of them. */
const TURNS = 5;
/** The most nodes that are asked in one turn. With more than 50 of them, a round takes longer. */
const MAX_A_TURN = 10;

/**
 * Asks the other nodes for a sign of life, so that the metrics show which of them are missing. A node that has other
 * standing orders than this one is asked for them: an order reaches all nodes, also those that were away when it was
 * given, and those that join later.
 */
export class PeerWatch {
  private timer: Timer | undefined;
  private next = 0;
  private readonly asking = new Set<string>();

  constructor(
    private readonly peers: Peers,
    private readonly orders: FleetOrders,
    private readonly clock: Clock,
  ) {}

  start(): void {
    this.turn();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private turn(): void {
    this.timer = this.clock.after(TURN, () => this.turn(), false);
    const { others } = this.peers;
    const count = Math.min(MAX_A_TURN, Math.ceil(others.length / TURNS));
    for (let n = 0; n < count; n++) {
      const node = others[this.next++ % others.length];
      if (node !== undefined && !this.asking.has(node.name)) void this.look(node);
    }
  }

  private async look(node: Peers['others'][number]): Promise<void> {
    this.asking.add(node.name);
    try {
      const { head } = await this.peers.ask(node, { name: 'ping' });
      if (head.orders === this.orders.digest) return;
      const { items } = await this.peers.ask(node, { name: 'orders' });
      this.orders.merge(readRecords(items) ?? []);
    } catch {
      // The peers remember that it is missing.
    } finally {
      this.asking.delete(node.name);
    }
  }
}
