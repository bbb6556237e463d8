import type { FleetCounts } from '../api/metrics/fleet-metrics.js';
import type { Logger } from '../base/logger.js';
import type { Config, HttpServerConfig } from '../config/config.js';
import type { FleetConfig } from '../config/fleet/fleet.js';
import type { AirCheck } from '../fleet/drain/drain.js';
import type { Fleet } from '../fleet/fleet.js';
import { PEER_PATH } from '../fleet/peers/protocol.js';
import { FleetView } from '../fleet/view/fleet-view.js';
import type { HttpParts } from './http-app.js';
import type { Answerer } from '../management/question.js';
import type { Clock } from '../time/clock.js';

export interface ServiceFleetParts {
  readonly fleet: Fleet;
  readonly media: Answerer;
  /** The configuration in force. */
  readonly config: () => Config;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the HTTP side of a service shows of its fleet, and answers to the other nodes. */
export class ServiceFleet {
  readonly view: FleetView;
  private fleetConfig: FleetConfig;

  /** @throws Error if the configuration has no fleet */
  constructor(private readonly parts: ServiceFleetParts) {
    const { fleet, media, clock, log } = parts;
    const { fleet: own } = parts.config();
    if (own === undefined) throw new Error('the configuration has no fleet');
    this.fleetConfig = own;
    const directory = {
      self: fleet.self.name,
      get nodes() {
        return fleet.nodes;
      },
    };
    this.view = new FleetView({ directory, config: () => this.config, media, clock, log });
  }

  /** What does not work at present, for `readyz`; undefined: all does. */
  get note(): string | undefined {
    const { engineProblem } = this.parts.fleet;
    if (engineProblem === '') return undefined;
    return `the engine of the fleet does not answer (${engineProblem}); new upstreams are placed by the nodes last known`;
  }

  /** For a drain: which upstreams are on air, here and at the nodes that they have moved to. */
  readonly air: AirCheck = {
    isHere: async (id) => {
      const state = (await this.parts.media.management.upstream(id))?.state;
      return state === 'publishing' || state === 'degraded';
    },
    elsewhere: async (ids) => {
      const { fleet } = this.parts;
      const owners = new Map([...(await fleet.ownersOf(ids))].filter(([, node]) => node !== fleet.self.name));
      const published = await this.view.publishedOf(owners);
      return new Map([...owners.keys()].map((id) => [id, published.has(id) ? 'published' : 'placed']));
    },
  };

  /** Whether an HTTP server answers other nodes: it listens on the port that they know, or none does. */
  isAsked(server: HttpServerConfig): boolean {
    const { port } = this.config.node.http;
    const listens = ({ listen }: HttpServerConfig): boolean => listen.some((one) => one.port === port);
    return listens(server) || !this.parts.config().httpServers.some(listens);
  }

  /** For the app of an HTTP server. */
  httpParts(server: HttpServerConfig): Pick<HttpParts, 'management' | 'node' | 'peers'> {
    const { view } = this;
    return {
      management: view.management,
      node: { management: this.parts.media.management, counts: () => this.counts() },
      peers: this.isAsked(server) ? { path: PEER_PATH, answers: view.answers } : undefined,
    };
  }

  private get config(): FleetConfig {
    return (this.fleetConfig = this.parts.config().fleet ?? this.fleetConfig);
  }

  private counts(): FleetCounts {
    const { fleet } = this.parts;
    const alive = fleet.nodes.filter((node) => fleet.isAlive(node));
    const draining = alive.filter((node) => node.draining).length;
    const nodes = { alive: alive.length - draining, draining, dead: fleet.nodes.length - alive.length };
    return { engineUp: fleet.engineUp, nodes, ...fleet.counters, peers: this.view.peersUp };
  }
}
