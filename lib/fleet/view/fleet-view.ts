import type { Logger } from '../../base/logger.js';
import type { FleetConfig } from '../../config/fleet/fleet.js';
import type { Answerer } from '../../management/question.js';
import type { Clock } from '../../time/clock.js';
import type { Management, UpstreamState } from '../../upstream/report/status.js';
import type { PeerRouterOptions } from '../peers/peer-router.js';
import { PeerWatch } from '../peers/peer-watch.js';
import { Peers, type Directory } from '../peers/peers.js';
import { AllNodes } from './all-nodes.js';
import { FleetManagement } from './fleet-management.js';
import { FleetOrders } from './fleet-orders.js';

/** States of an upstream whose server has not answered yet. */
const BEGINNING: ReadonlySet<string> = new Set<UpstreamState>(['waiting', 'resolving', 'connecting', 'handshaking']);

export interface FleetViewParts {
  readonly directory: Directory;
  /** The configuration in force. */
  readonly config: () => Pick<FleetConfig, 'peerTimeout' | 'peerTokens' | 'peerCa'>;
  /** The media side of this node. */
  readonly media: Answerer;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How this node sees the other nodes of the fleet, and how they see it. */
export class FleetView {
  /** Of all nodes as one. */
  readonly management: Management;
  /** What other nodes are answered with (`peerRouter`). */
  readonly answers: PeerRouterOptions;
  private readonly peers: Peers;
  private readonly watch: PeerWatch;
  private readonly all: AllNodes;

  constructor({ directory, config, media, clock, log }: FleetViewParts) {
    const { self } = directory;
    const token = (): string => config().peerTokens[0] ?? '';
    this.peers = new Peers({
      directory,
      token,
      ca: () => config().peerCa,
      timeout: () => config().peerTimeout,
      clock,
      log,
    });
    const orders = new FleetOrders(media.management, clock);
    this.management = new FleetManagement({ media, peers: this.peers, orders, clock });
    this.answers = { self, tokens: () => config().peerTokens, media, orders, log };
    this.all = new AllNodes(media, this.peers);
    this.watch = new PeerWatch(this.peers, orders, clock);
  }

  /** Whether each of the other nodes has answered the last question; undefined: it was not asked yet. */
  get peersUp(): ReadonlyMap<string, boolean | undefined> {
    return this.peers.up;
  }

  /** The ids that are live at each of the other nodes that answer. */
  async idsOfPeers(): Promise<ReadonlyMap<string, readonly string[]>> {
    return new Map((await this.all.idsOfOthers()).answers);
  }

  /**
   * Which of these upstreams have tried to publish at their nodes.
   *
   * @param owners the node of each, by id
   */
  async publishedOf(owners: ReadonlyMap<string, string>): Promise<ReadonlySet<string>> {
    const idsOf = new Map<string, string[]>(this.peers.nodes.map(({ name }) => [name, []]));
    for (const [id, node] of owners) idsOf.get(node)?.push(id);
    const { answers } = await this.all.statusesOf(idsOf);
    const upstreams = answers.flatMap(([, one]) => Object.entries(one.upstreams));
    return new Set(upstreams.filter(([, { state }]) => !BEGINNING.has(state)).map(([id]) => id));
  }

  start(): void {
    this.watch.start();
  }

  stop(): void {
    this.watch.stop();
  }
}
